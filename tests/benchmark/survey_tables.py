"""The tables of docs/dask.md, from the measurements in docs/dask.json.

Run by itself it prints them.
"""

import json
from pathlib import Path

from markdown_tables import as_table, short

BRANCHES = 4  # of the tree of workers
N_ITER = 50  # of a fit, for what is predicted
SURVEYS = 10**6, 10**7, 4 * 10**7
WORKERS = 8, 64, 512
COPIES = 5  # of X, at the most, where pixels have weights, in float64


def tables(content):
    """Those of the page, in their order."""
    return [measured(content), moved(content), of_sums(content), predicted(content)]


def measured(content):
    rows = []
    for case in content["cases"]:
        what = "weighted" if case["weighted"] else "not weighted"
        where = (
            (
                f"in memory, {case['threads']} threads"
                if "threads" in case
                else f"{case['workers']} workers of 1 thread"
            )
            .replace(" 1 threads", " 1 thread")
            .replace("1 workers", "1 worker")
        )
        seconds = (
            f"{short(case['iteration_s'])} s an iteration"
            if case["weighted"]
            else f"{short(case['fit_s'] - case.get('placed_s', 0))} s, {case['n_iter']} iterations"
        )
        here, *workers = [n / 1e9 for n in case["memory_b"]]
        memory = ", ".join(map(short, workers)) or "-"
        n = f"{case['n_spectra']:,}".replace(",", " ")
        placed = short(case["placed_s"]) if "placed_s" in case else "-"
        passed = short(case["pass_s"])
        rows.append([f"{n}, {what}", where, placed, passed, seconds, short(here), memory])
    return as_table(
        [
            *("spectra", "where", "made and placed, s", "a pass, s", "a fit"),
            *("this process, GB", "workers, GB"),
        ],
        rows,
    )


def sums_of_an_iteration(content, products):
    """Numbers that an iteration with weights sums up, the tens that are no product of X left out.

    products : of the model with a factor, of which the response to the weights takes some
    """
    k, n_wave = content["n_components"], content["n_wave"]
    return (k * (k + 1) // 2 + k * (2 + products)) * n_wave


def predicted_bytes(content, values, n_workers):
    """On all connections: the client's by way of the scheduler, and each other worker's one."""
    of_components = content["n_components"] * content["n_wave"]  # that go down alone
    return 8 * (4 * values + (n_workers - 1) * (2 * values - of_components))


def moved(content):
    rows = []
    for case in content["cases"]:
        if "loopback_b" not in case:
            continue
        k, n_wave = content["n_components"], content["n_wave"]
        products = round(case["values"] / n_wave / k - (k + 1) / 2 - 2, 1)
        formula = predicted_bytes(content, case["values"], case["workers"])
        rows.append(
            [
                case["workers"],
                f"{case['turns']:.0f}",
                short(products),
                f"{case['values'] * 8 / 1e6:.2f}",
                f"{formula / 1e6:.1f}",
                f"{case['loopback_b'] / 1e6:.1f}",
            ]
        )
    return as_table(
        ["workers", "sums", "m", "their numbers, MB", "formula, MB", "measured, MB"], rows
    )


def of_sums(content):
    rows = [[of["workers"], of["values"], f"{1e3 * of['seconds']:.1f}"] for of in content["sums"]]
    return as_table(["workers", "numbers", "a sum, ms"], rows)


def depth(n_workers):
    """Levels of the tree below its root."""
    levels, reached, width = 0, 1, 1
    while reached < n_workers:
        width *= BRANCHES
        reached += width
        levels += 1
    return levels


def of_iteration(content, n_spectra, n_workers):
    """Seconds of an iteration with weights: of work, and of sums."""
    (one,) = [of for of in content["cases"] if of.get("workers") == 1 and of["weighted"]]
    work = one["iteration_s"] * n_spectra / one["n_spectra"] / n_workers
    seconds = {(of["workers"], of["values"]): of["seconds"] for of in content["sums"]}
    large = content["n_components"] * content["n_wave"]
    client = seconds[1, 1], (seconds[1, large] - seconds[1, 1]) / large
    level = (
        max(seconds[2, 1] - seconds[1, 1], 0),
        max(seconds[2, large] - seconds[1, large], 0) / large,
    )
    d = depth(n_workers)
    waits = one["turns"] * (client[0] + d * level[0])
    sends = one["values"] * (client[1] + d * min(BRANCHES, n_workers - 1) * level[1])
    return work, waits + sends


def predicted(content):
    rows = []
    for n_spectra in SURVEYS:
        for n_workers in WORKERS:
            work, sums = of_iteration(content, n_spectra, n_workers)
            hours = N_ITER * (work + sums) / 3600
            memory = COPIES * 8 * n_spectra * content["n_wave"] / n_workers / 1e9
            rows.append(
                [
                    f"{n_spectra:.0e}".replace("e+0", "e"),
                    n_workers,
                    short(work),
                    short(sums),
                    short(hours, 2),
                    short(hours * n_workers, 2),
                    short(memory, 2),
                ]
            )
    return as_table(
        [
            *("spectra", "workers", "work, s", "sums, s"),
            *(f"{N_ITER} iterations, h", "core-hours", "a worker's memory, GB"),
        ],
        rows,
    )


if __name__ == "__main__":
    found = json.loads(Path("docs/dask.json").read_text())
    print("\n\n".join(tables(found)))
