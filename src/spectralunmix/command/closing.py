"""The summary of a run on the terminal: which files were made, and their result."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

from spectralunmix.command.altered import RESULTS


def table(path: Path, columns: list[str] | None = None) -> list[str]:
    """The rows of an ECSV table of text and numbers, in aligned lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = list(csv.reader((x for x in lines if not x.startswith("#")), delimiter=" "))
    if columns:
        kept = [rows[0].index(name) for name in columns]
        rows = [[row[i] for i in kept] for row in rows]
    width = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, width)).rstrip() for row in rows]


def of_figure(folder: Path) -> list[str]:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    said = summary["warnings"]  # those of PCA, which may be many, are put in a single line below
    warnings = [f"WARNING: {sentence}" for sentence in said if not sentence.startswith("PCA ")]
    doubtful = [row["component"] for row in summary["pca"]["assignment"] if row["doubtful"]]
    if doubtful:
        warnings.append(
            f"WARNING: PCA's {', '.join(doubtful)} should not be read as the class assigned: "
            "dashed in panel D of the figure"
        )
    nmf = summary["nmf"]
    assigned = {row["component"] for row in nmf["assignment"]}
    names = [f"component_{i}" for i in range(1, len(nmf["roughness"]) + 1)]
    if others := [name for name in names if name not in assigned]:
        warnings.append(
            f"{', '.join(others)} of NMF: of no class, as there are more components than classes"
        )
    columns = ["method", "component", "class", "distance", "sign"]
    totals = []
    if n := summary["bootstrap"]["n_resamples"]:
        columns.insert(4, "standard_error")
        of_each = [
            f"{summary[method]['total_distance']:.2f} +- "
            f"{summary[method]['total_distance_standard_error']:.2f} of {method.upper()}"
            for method in ("nmf", "pca")
        ]
        totals = [f"total distance: {', '.join(of_each)}; errors over {n} resamples", ""]
    shown = table(folder / "assignments.ecsv", columns)
    return [*shown, "", *totals, *warnings, f"figure: {folder}/figure.pdf, .png and .svg"]


def of_report(folder: Path) -> list[str]:
    return [
        f"report: {folder}/report.html",
        f"interactive: {folder}/interactive.html, to zoom into; open both in a browser",
    ]


def of_cube(folder: Path) -> list[str]:
    said = json.loads((folder / "cube.json").read_text(encoding="utf-8"))["in_words"]
    return [
        *(f"{sentence}." for sentence in said),
        "",
        f"maps and components: {folder}/maps.fits",
        f"figure: {folder}/cube.pdf, .png and .svg",
        f"numbers: {folder}/cube.json, emission lines in {folder}/lines.ecsv",
        f"every spaxel: {folder}/cube.html, to open in a browser",
    ]


def of_cube_report(folder: Path) -> list[str]:
    return [
        f"report: {folder}/report.html",
        f"every spaxel: {folder}/cube.html; open both in a browser",
    ]


def of_scan(folder: Path) -> list[str]:
    lines = (folder / "logs/scan.log").read_text(encoding="utf-8").splitlines()
    return [*lines, f"scan: {folder}/scan.png and .pdf, its fits in {folder}/scan.ecsv"]


def of_choose(folder: Path) -> list[str]:
    said = json.loads((folder / "choose.json").read_text(encoding="utf-8"))["in_words"]
    sentences = [f"{sentence}." for sentence in said]
    return [
        *sentences,
        "",
        f"choice: {folder}/choose.png and .pdf, its numbers in {folder}/choose.ecsv",
    ]


def of_validate(folder: Path) -> list[str]:
    text = (folder / "library.txt").read_text(encoding="utf-8")
    return [*text.splitlines(), "", f"validated: {folder}/library.txt and {folder}/library.png"]


def of_compare(folder: Path) -> list[str]:
    return [
        "share of the squares of a library's spectra that another's components explain:",
        *table(folder / "transfer.ecsv"),
        "",
        f"comparison: {folder}/figure.pdf, .png and .svg, distances in {folder}/distances.ecsv",
    ]


LAST_WORDS: dict[str, Callable[[Path], list[str]]] = {
    "figure": of_figure,
    "cube": of_cube,
    "report": of_report,
    "cube_report": of_cube_report,
    "scan": of_scan,
    "choose": of_choose,
    "validate": of_validate,
    "compare": of_compare,
}


def made_last() -> str | None:
    """The name of the library, or comparison, whose results were completed last."""
    manifests = list(RESULTS.glob("*/manifest.json"))
    return max(manifests, key=lambda path: path.stat().st_mtime).parent.name if manifests else None
