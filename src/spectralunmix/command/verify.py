"""Check results against their manifest, and against the results of another run.

Every file that a step took or made has to have the sha256 that was recorded, and every module
that it ran has to be that of this checkout. With a reference, which is the folder of another run
or one of tests/reference, the numbers and the figure have to agree, too. Every deviation is named;
then the exit status is 1.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.image import imread
from scipy.optimize import linear_sum_assignment

from spectralunmix.command.altered import RESULTS
from spectralunmix.command.closing import made_last
from spectralunmix.errors import LibraryError, RunError
from spectralunmix.files import read_curves, read_table, read_weights
from spectralunmix.provenance import PACKAGE, sha256

ROOMS = {"scripts": Path("workflow/scripts"), "spectralunmix": PACKAGE}  # folders of the code
# Largest deviations across machines. In float64 the last digits differ, because libraries of
# linear algebra order their sums differently.
OBJECTIVE = 1e-9  # relative, of the objective and of the sum of squared residuals
FACTORS = 1e-7  # of components and weights, relative to their largest value
PIXELS = 1.0  # root mean square over the pixels of the figure, on a scale to 255
# Raised where a file is not what it should be.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
PARTS = "cross_validate", "resample", "scan_fits"  # steps whose jobs make parts of a result
BITWISE = ("*.ecsv", "summary.json", "nmf_fit.json", "pca_fit.json", "figure.*")


def read_manifest(folder: Path) -> dict:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        for step in manifest["steps"]:
            checked_record(step)
        if not manifest["steps"]:
            raise ValueError("it has no steps")
        return manifest
    except FileNotFoundError:
        raise LibraryError(f"{path}: missing: make the figure first") from None
    except DAMAGED as error:
        raise LibraryError(f"{path}: not a manifest ({error!r}): make the figure again") from None


def checked_record(record: Any) -> dict:
    """The parts of a record that are verified; a ValueError where it is not a record."""
    kept = {key: record[key] for key in ("step", "inputs", "outputs", "sources")}
    kinds = (str, dict, dict, dict)
    if not all(isinstance(kept[key], kind) for key, kind in zip(kept, kinds, strict=True)):
        raise ValueError(
            "step is not a name, or inputs, outputs or sources are not checksums by path"
        )
    if not all(isinstance(record[key], dict) for key in ("versions", "platform")):
        raise ValueError("versions and platform are missing")
    return kept


def against_manifest(folder: Path) -> list[str]:
    """Messages on files that are missing, altered, or made by code of another checkout."""
    wrong = []
    recorded: dict[str, str] = {}
    steps = read_manifest(folder)["steps"]
    if not (folder / "records/manifest.json").exists():
        wrong.append(f"{folder}/records/manifest.json: missing")
    for path in sorted(folder.glob("records/*.json")):
        # the manifest's own, and those of steps beside the figure's, such as validate
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record not in steps:
                steps.append(checked_record(record))
        except DAMAGED:
            wrong.append(f"{path}: not a record")
    taken = {name for step in steps for name in step["inputs"]}
    # parts that no step took are of a run with other settings, or of one that was interrupted
    steps = [s for s in steps if s["step"] not in PARTS or taken & set(s["outputs"])]
    for step in steps:
        for kind in ("inputs", "outputs"):
            for name, digest in step[kind].items():
                if recorded.setdefault(name, digest) != digest:
                    wrong.append(
                        f"{name}: step {step['step']} used an earlier one: make that again"
                    )
        for name, digest in step["sources"].items():
            room, _, path = name.partition("/")
            source = ROOMS.get(room, Path()) / path
            if not source.is_file() or sha256(source) != digest:
                wrong.append(f"step {step['step']} was made by another {name}")
    for name, digest in recorded.items():
        if not Path(name).is_file():
            wrong.append(f"{name}: missing")
        elif sha256(name) != digest:
            wrong.append(f"{name}: altered")
    return list(dict.fromkeys(wrong))


def against_reference(folder: Path, reference: Path) -> tuple[list[str], list[str]]:
    """Messages on deviations from another run, and lines on what was compared and how."""
    ours, theirs = read_manifest(folder), read_manifest(reference)
    same = made_on(ours) == made_on(theirs)
    if same:
        names = [path.name for pattern in BITWISE for path in sorted(reference.glob(pattern))]
        differ = [
            f"{folder / n}: not the bytes of the reference"
            for n in names
            if not equal(folder / n, reference / n)
        ]
        return differ, [f"same versions and machine: {len(names)} files compared bit by bit"]
    wrong, done = numbers(folder, reference)
    versions = [run["steps"][0]["versions"]["matplotlib"] for run in (ours, theirs)]
    if versions[0] != versions[1]:
        done.append(f"figure not compared: matplotlib {versions[0]} and {versions[1]}")
    else:
        rms = image_rms(folder / "figure.png", reference / "figure.png")
        done.append(f"figure: RMS {rms:.2g} of 255 (at most {PIXELS})")
        wrong += [f"{folder}/figure.png: RMS {rms:.2g} of 255 from the reference"] * (rms > PIXELS)
    return wrong, ["other versions or machine: compared within tolerances", *done]


def made_on(manifest: dict) -> dict:
    """The versions and the platform of each step."""
    return {step["step"]: (step["versions"], step["platform"]) for step in manifest["steps"]}


def equal(path: Path, other: Path) -> bool:
    return path.is_file() and sha256(path) == sha256(other)


def numbers(folder: Path, reference: Path) -> tuple[list[str], list[str]]:
    """Compare objective, residuals, matched components and weights, and selected spectra."""
    wrong: list[str] = []
    done: list[str] = []

    def check(what: str, deviation: float, limit: float) -> None:
        done.append(f"{what}: {deviation:.1e} (at most {limit:g})")
        if not deviation <= limit:
            wrong.append(f"{folder}: {what} deviates by {deviation:.1e}, more than {limit:g}")

    fits = [json.loads((run / "nmf_fit.json").read_text()) for run in (folder, reference)]
    for key in ("objective", "sum_of_squared_residuals"):
        mine, other = (fit[key] for fit in fits)
        check(key, abs(mine / other - 1), OBJECTIVE)
    (_, names, H), (_, other_names, G) = (
        read_curves(str(run / "nmf_components.ecsv")) for run in (folder, reference)
    )
    if H.shape != G.shape:
        return [f"{folder}: components are {H.shape}, the reference's {G.shape}"], done
    cosine = H @ G.T / np.outer(np.linalg.norm(H, axis=1), np.linalg.norm(G, axis=1))
    mine, other = linear_sum_assignment(-cosine)
    check("components", np.abs(H[mine] - G[other]).max() / G.max(), FACTORS)
    W, V = (
        read_weights(str(run / "nmf_weights.ecsv"), of).T
        for run, of in ((folder, names), (reference, other_names))
    )
    if W.shape != V.shape:
        return [*wrong, f"{folder}: weights are {W.shape}, the reference's {V.shape}"], done
    check("weights", np.abs(W[mine] - V[other]).max() / V.max(), FACTORS)
    tables = [read_table(str(run / "selection.ecsv")) for run in (folder, reference)]
    if list(tables[0]["file"]) != list(tables[1]["file"]):
        wrong.append(f"{folder}/selection.ecsv: other spectra than the reference's")
    return wrong, done


def image_rms(path: Path, other: Path) -> float:
    a, b = (imread(p)[..., :3] * 255 for p in (path, other))
    return float(np.sqrt(np.mean((a - b) ** 2))) if a.shape == b.shape else np.inf


def verify_named(library: str | None, reference: Path | None) -> None:
    """`verify` the results of a library or a cube, by default those that were made last."""
    name = library or made_last()
    if name is None:
        raise RunError("nothing to verify: results/ has no manifest; make a figure first")
    if not library:
        print(f"results/{name}, made last:")
    verify(RESULTS / name, reference)


def verify(folder: Path, reference: Path | None = None) -> None:
    """Verify the results in a folder, and print what was compared.

    Raises
    ------
    LibraryError
        Something deviates, or there is no manifest; the message names every deviation.
    """
    wrong = against_manifest(folder)
    if reference:
        try:
            differ, done = against_reference(folder, reference)
        except DAMAGED as error:
            if isinstance(error, LibraryError):
                raise
            raise LibraryError(f"{reference}: the results are not complete ({error!r})") from None
        wrong += differ
        for line in done:
            print(line)
    if wrong:
        raise LibraryError("\n".join(["NOT verified:", *(f"  {line}" for line in wrong)]))
    print(f"verified: {folder}")
