"""The page of methods, tables and provenance, with the run's own settings and numbers."""

from typing import Any

import numpy as np
from astropy.table import Table

MEDIUM = {"air": "in air", "vacuum": "in vacuum", "unknown": "in air or vacuum: not known"}
METHODS = {"nmf": "Smooth NMF components", "pca": "PCA eigenspectra"}


def distance_tables(
    distances: Table, assignments: Table, labels: dict[str, str]
) -> list[dict[str, Any]]:
    """A table for each method: classes in rows, components in columns, assigned pairs framed.

    Parameters
    ----------
    distances : Table
        Of every component to every prototype.
    assignments : Table
        Of components to classes.
    labels : dict of str
        What a class is called, by its name.

    Returns
    -------
    list of dict
    """
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
                        "standard_error": cells[name, k]["standard_error"],
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


def as_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def of_selection(selection: Table, labels: dict[str, str]) -> dict[str, Any]:
    """The values for the page's template on the selected spectra."""
    members = list(selection["class"])
    return {
        "notes": selection.meta.get("notes", []),
        "left_out": selection.meta.get("left_out", {}),
        "classes": [
            {"label": labels[name], "n": members.count(name)} for name in dict.fromkeys(members)
        ],
        "selection": {
            "names": selection.colnames,
            "rows": [[as_text(value) for value in row] for row in selection],
        },
    }


def of_resamples(summary: dict[str, Any]) -> dict[str, Any]:
    """The values for the template on resamples: least shares of equal assignments."""
    shares = {
        method: [row["same_assignment"] for row in summary[method]["assignment"]]
        for method in METHODS
    }
    return {method: min(of) if None not in of else None for method, of in shares.items()}


def of_run(manifest: dict[str, Any]) -> dict[str, Any]:
    """The values for the page's template on the settings of the run."""
    settings = {each["step"]: each["settings"] for each in manifest["steps"]}
    return {
        "manifest": manifest,
        "fit": settings["smooth_nmf"],
        "normalisation": settings["select"]["normalisation"],
    }
