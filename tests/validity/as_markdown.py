"""The measurements on synthetic spectra as tables of a page."""

from typing import Any

Measured = dict[str, list[dict[str, Any]]]

RULES = {  # as they are called in the file, and on the page
    "two standard errors": "**two standard errors, three divisions**",
    "two standard errors, one division": "two standard errors, one division",
    "one standard error": "one standard error, three divisions",
    "one standard error, one division": "one standard error, one division",
    "one standard error, one division, tol 1e-3": "one, one division, fits of tolerance 1e-3",
    "least error": "least error, three divisions",
    "chi2": "reduced chi^2, noise known",
    "least distance of subsamples": "stability over subsamples: most stable",
    "before its steepest rise": "stability over subsamples: before its steepest fall",
    "last before starts differ": "all starts end alike",
}
BANDS = {
    "standard error": "estimate +- 1, 2 standard errors",
    "percentile": "percentiles, 68, 95 %",
    "basic": "reversed percentiles",
    "bias-corrected": "bias-corrected percentiles",
}


def choice(measured: Measured) -> str:
    """How often each rule finds the number of components, by noise."""
    sets = measured["choice"]
    small = [made for made in sets if made["n_spectra"] == 80]
    columns = [("all of 80 spectra", small)]
    for noise in sorted({made["noise"] for made in small}):
        columns.append((f"{100 * noise:g} %", [made for made in small if made["noise"] == noise]))
    columns.append(("white", [made for made in small if not made["correlated"]]))
    columns.append(("correlated", [made for made in small if made["correlated"]]))
    columns.append(("1000 spectra", [made for made in sets if made["n_spectra"] == 1000]))
    rows = [[title] + [found(of, rule) for _, of in columns] for rule, title in RULES.items()]
    return table(["rule"] + [f"{name} ({len(of)})" for name, of in columns], rows)


def misses(measured: Measured) -> str:
    """How often each rule takes too few components, and too many."""
    small = [made for made in measured["choice"] if made["n_spectra"] == 80]
    rows = []
    for rule, title in RULES.items():
        above = [made["chosen"][rule] - made["k"] for made in small]
        none = sum(made["chosen"][rule] == 0 for made in small)
        few = sum(value < 0 for value in above) - none
        rows.append([title, str(few), str(sum(value > 0 for value in above)), str(none)])
    return table(["rule", "too few", "too many", "none"], rows)


def rare(measured: Measured) -> str:
    """How often rules find a component that few spectra carry."""
    sets = measured["rare"]
    carriers = sorted({made["carriers"] for made in sets})
    by = [[made for made in sets if made["carriers"] == number] for number in carriers]
    rules = "two standard errors", "one standard error", "least error"
    rows = [[RULES[rule]] + [found(of, rule) for of in by] for rule in rules]
    head = [f"{n} of 80 spectra ({len(of)})" for n, of in zip(carriers, by, strict=True)]
    return table(["rule", *head], rows)


def found(sets: list[dict[str, Any]], rule: str) -> str:
    """In how many of these sets."""
    return str(sum(made["chosen"][rule] == made["k"] for made in sets))


def coverage(measured: Measured, of: str) -> str:
    """How often bands hold the truth or the limit, in percent with standard errors."""
    head = ["drawn anew", "components", "smoothness"]
    rows = []
    for case in measured["coverage"]:
        row = [case["resample"], case["mixture"], f"{case['smoothness']:g}"]
        for band in BANDS:
            levels = [case["held"][f"{band} {level} {of}"] for level in ("68", "95")]
            row.append(" / ".join(f"{100 * share:.0f} +- {100 * e:.0f}" for share, e in levels))
        rows.append(row)
    return table(head + list(BANDS.values()), rows)


def errors(measured: Measured) -> str:
    """The bootstrap's standard errors beside the spread of fits, and the bias, in percent."""
    head = ["drawn anew", "components", "smoothness", "standard error", "spread of fits", "bias"]
    rows = []
    for case in measured["coverage"]:
        row = [case["resample"], case["mixture"], f"{case['smoothness']:g}"]
        row += [f"{100 * case[name]:.2f}" for name in ("standard_error", "spread", "bias")]
        rows.append(row)
    return table(head, rows)


def libraries(kept: dict[str, dict[str, Any]]) -> str:
    """What the shipped libraries say: of each the content of its choose.json and summary.json."""
    rows = []
    for name, of in kept.items():
        row = [name]
        for place in ("least", "within_one_standard_error", "chosen", "configured"):
            at = of["choose"][place]
            row.append(f"{at['n_components']}, {at['smoothness']:g} ({at['rms']:.4f})")
        for method in ("nmf", "pca"):
            said = of["summary"][method]
            error = said["total_distance_standard_error"]
            row.append(f"{said['total_distance']:.2f} ± {error:.2f}")
            row.append(f"{100 * min(each['same_assignment'] for each in said['assignment']):.0f} %")
        rows.append(row)
    head = ["library", "least error", "within one standard error", "the choice", "configured"]
    head += ["NMF, total distance", "same assignment", "PCA", "same assignment"]
    return table(head, rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def tables(measured: Measured) -> list[str]:
    """All tables of the page, in its order."""
    return [
        choice(measured),
        misses(measured),
        rare(measured),
        errors(measured),
        coverage(measured, "limit"),
        coverage(measured, "truth"),
    ]
