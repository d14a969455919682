"""Figures and pages, as functions of arrays and tables."""
