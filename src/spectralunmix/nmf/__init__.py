"""The factorisation: its objective, updates and solver."""
