"""Selects the spectra of a library that are used."""

import numpy as np
import pandas as pd

from . import LibraryError


def select(frame: pd.DataFrame, how: dict) -> pd.DataFrame:
    """The selected rows, class by class, with class_rank and class_size.

    frame : file, class and parameters of the library's spectra
    how : the entry's selection, of its classes.  The members of a class are sorted by
        `order`, ties by file, and ranked from 1 to n.  "evenly_spaced" takes the ranks
        round(linspace(1, n, per_class)), "random" per_class of them by `seed`, "all" every
        one, and "list" those whose file is among `files`.
    """
    classes = how["classes"]
    if missing := [c for c in how["order"] if c not in frame]:
        raise LibraryError(f"selection.order: no such parameter: {', '.join(missing)}")
    if how["mode"] in ("evenly_spaced", "random"):
        _enough(frame, classes, how["per_class"])
    if how["mode"] == "list":
        _all_there(frame, classes, how["files"])
    rng = np.random.default_rng(how["seed"])
    chosen = []
    for name in classes:
        members = frame[frame["class"] == name].sort_values([*how["order"], "file"], kind="stable")
        size = len(members)
        members = members.assign(class_rank=range(1, size + 1), class_size=size)
        if how["mode"] == "evenly_spaced":
            rank = np.round(np.linspace(1, size, how["per_class"])).astype(int)
            members = members.iloc[rank - 1]
        elif how["mode"] == "random":
            members = members.iloc[np.sort(rng.permutation(size)[: how["per_class"]])]
        elif how["mode"] == "list":
            members = members[members["file"].isin(how["files"])]
        chosen.append(members)
    return pd.concat(chosen)


def _enough(frame: pd.DataFrame, classes: list[str], per_class: int) -> None:
    sizes = frame["class"].value_counts()
    if any(sizes.get(c, 0) < per_class for c in classes):
        raise LibraryError(
            f"selection.per_class: {per_class} spectra of each class are asked for, but there are "
            f"{', '.join(f'{sizes.get(c, 0)} of {c}' for c in classes)}: lower per_class or widen "
            "the rules under classes"
        )


def _all_there(frame: pd.DataFrame, classes: list[str], files: list[str]) -> None:
    label = dict(zip(frame["file"], frame["class"], strict=True))
    if missing := [file for file in files if file not in label]:
        raise LibraryError(f"selection.files: not in the library: {', '.join(missing)}")
    if outside := [file for file in files if label[file] not in classes]:
        raise LibraryError(f"selection.files: of no selected class: {', '.join(outside)}")


def check_sizes(labels: pd.Series, expected: dict) -> list[str]:
    """Mistakes in the sizes of the classes, where the entry gives these."""
    found = labels.value_counts()
    wrong = [
        f"{c}: {found.get(c, 0)}, not {n}" for c, n in expected.items() if found.get(c, 0) != n
    ]
    if not wrong:
        return []
    return [f"class_sizes: {'; '.join(wrong)}: the archive is another one, or incomplete"]
