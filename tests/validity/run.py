"""Does the rule find the number of components, and what are the bands worth? On made spectra.

    run.py [--parts choice,rare,coverage] [--to docs/synthetic.json]

One thread; about 40 minutes. What is not measured stays as the file has it.
"""

import argparse
import json
import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from pathlib import Path

import as_markdown
import bands
import choice

PARTS = {"choice": choice.measured, "rare": choice.rare, "coverage": bands.measured}


def main() -> None:
    """Measure, keep the numbers and print the tables of docs/choosing.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS))
    parser.add_argument("--to", type=Path, default=Path("docs/synthetic.json"))
    options = parser.parse_args()
    measured = json.loads(options.to.read_text()) if options.to.exists() else {}
    for part in options.parts:
        measured[part] = PARTS[part]()
        write(measured, options.to)
    for made in as_markdown.tables(measured) if set(measured) == set(PARTS) else []:
        print(made, end="\n\n")


def write(measured: as_markdown.Measured, path: Path) -> None:
    """One line for each set and case, so that a change shows where it is."""
    parts = []
    for name in sorted(measured):
        lines = ",\n".join(f"  {json.dumps(rounded(entry))}" for entry in measured[name])
        parts.append(f' "{name}": [\n{lines}\n ]')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def rounded(value: object) -> object:
    """Numbers to six digits: other machines agree to that."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items()}
    return [rounded(entry) for entry in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
