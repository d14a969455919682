"""Tables and numbers of the pages, in Markdown."""


def as_table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def short(value, digits=3):
    return f"{float(f'{value:.{digits}g}'):g}"
