"""The tables of docs/benchmarks.md, from the measurements in docs/benchmark.json.

Run by itself it prints them.
"""

import json
from pathlib import Path

from markdown_tables import as_table, short

DIGITS = 2
OWN = "spectralunmix"
SECONDS = "seconds_before", "seconds_new"
GAPS = {"1e-02": "10⁻²", "1e-04": "10⁻⁴", "1e-06": "10⁻⁶"}


def tables(content):
    """Those of the page, in their order, of the parts that were measured."""
    made = {"gaps": to_gaps, "versions": versions, "costs": costs}
    return [table(content[part]) for part, table in made.items() if part in content]


def to_gaps(content):
    """This package and the fastest of the others, each gap a column."""
    rows = []
    for problem in content["problems"]:
        (own,) = [of for of in problem["methods"] if of["method"] == OWN]
        others = [of for of in problem["methods"] if not of["method"].startswith(OWN)]
        cells = [cell(own[gap], gap, others, problem["seconds_given"]) for gap in GAPS]
        rows.append([problem["title"], *cells, f"{own['ends lowest']} of {own['starts']}"])
    return as_table(["problem", *(f"to {gap}" for gap in GAPS.values()), "lowest"], rows)


def cell(seconds, gap, others, given):
    mine = f"none in {short(given, DIGITS)} s" if seconds is None else f"{short(seconds, DIGITS)} s"
    there = [(of[gap], of["method"]) for of in others if of[gap] is not None]
    if not there:
        return f"**{mine}**; none in {short(given, DIGITS)} s"
    fastest, name = min(there)
    return f"**{mine}**; {short(fastest, DIGITS)} s, {name}"


def versions(content):
    rows = [
        [
            of["task"],
            *("" if of[key] is None else short(of[key], DIGITS) for key in SECONDS),
            short(of["ratio"], DIGITS),
        ]
        for of in content["tasks"]
    ]
    return as_table(["fits", f"{content['before']}, s", "this version, s", "ratio"], rows)


def costs(content):
    return as_table(["what", "ratio"], [[of["what"], short(of["ratio"], DIGITS)] for of in content])


if __name__ == "__main__":
    print("\n\n".join(tables(json.loads(Path("docs/benchmark.json").read_text()))))
