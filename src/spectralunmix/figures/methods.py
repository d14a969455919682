"""The page of methods, tables and provenance, with the run's own settings and numbers."""

import numpy as np

MEDIUM = {"air": "in air", "vacuum": "in vacuum", "unknown": "in air or vacuum: not known"}
METHODS = {"nmf": "Smooth NMF components", "pca": "PCA eigenspectra"}


def distance_tables(distances, assignments, labels):
    """A table a method: classes down, components across, the assigned pairs framed."""
    tables = []
    for method, title in METHODS.items():
        of = distances[distances["method"] == method]
        cells = {(row["class"], row["component"]): row for row in of}
        pairs = assignments[assignments["method"] == method]
        framed = {(row["class"], row["component"]): row["doubtful"] for row in pairs}
        components = list(dict.fromkeys(of["component"]))
        rows = [
            {
                "label": labels[name],
                "cells": [
                    {
                        "distance": cells[name, k]["distance"],
                        "sign": cells[name, k]["sign"],
                        "framed": (name, k) in framed,
                        "doubtful": framed.get((name, k), False),
                    }
                    for k in components
                ],
            }
            for name in dict.fromkeys(of["class"])
        ]
        tables.append({"title": title, "components": components, "rows": rows})
    return tables


def as_text(value):
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
