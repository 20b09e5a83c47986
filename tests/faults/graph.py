"""Writes what a run of the crowds has seen into the documents: the table of docs/reliability.md, and docs/pictures/crowds.svg.

    FIGURES=figures.ndjson make faults ONLY="idle senders nobody end gzip levels hundred"
    python3 tests/faults/graph.py figures.ndjson
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 360, 50, 16, 150, 34
COLOURS = ["#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce", "#b91c1c", "#a16207", "#0f766e", "#1d4ed8", "#525252"]
BOUND_MIB = 512


def main():
    """The last of each crowd."""
    lines = [json.loads(line) for line in pathlib.Path(sys.argv[1]).read_text().splitlines()]
    figures = list({figure["name"]: figure for figure in lines}.values())
    page = ROOT / "docs" / "reliability.md"
    before, rest = page.read_text().split("<!-- crowds -->\n")
    after = rest.split("<!-- /crowds -->")[1]
    page.write_text(f"{before}<!-- crowds -->\n{table(figures)}<!-- /crowds -->{after}")
    (ROOT / "docs" / "pictures" / "crowds.svg").write_text(picture(figures))


def table(figures):
    """A row for each crowd."""
    rows = ["| crowd | answers | p50 | p99 | p99 before it | memory at most | closed for others |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for figure in figures:
        rows.append(f"| {figure['name']} | {figure['answers']} | {figure['p50_ms']} ms | {figure['p99_ms']} ms | {figure['quiet_p99_ms']} ms | "
                    f"{figure['most_mib']} MiB | {figure['closed']} |")
    return "\n".join(rows) + "\n"


def across(second, end_s):
    """Where a moment is."""
    return LEFT + second / end_s * (WIDTH - LEFT - RIGHT)


def up(mib):
    """Where so much memory is."""
    return HEIGHT - BOTTOM - mib / (BOUND_MIB * 1.1) * (HEIGHT - TOP - BOTTOM)


def picture(figures):
    """Memory along time, one line for each crowd, and the bound."""
    end_s = max(figure["curve"][-1][0] for figure in figures)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" role="img">',
             "<title>Memory of the server during each crowd, in MiB, along seconds</title>", f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for mib in range(0, BOUND_MIB + 1, 128):
        colour = "#b91c1c" if mib == BOUND_MIB else "#ddd"
        parts.append(f'<path d="M{LEFT} {up(mib):.1f}H{WIDTH - RIGHT}" stroke="{colour}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up(mib) + 4:.1f}" text-anchor="end">{mib}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT - 4}" y="{up(BOUND_MIB) - 4:.1f}" text-anchor="end" fill="#b91c1c">the bound</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">0 s; MiB upwards</text><text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{end_s:.0f} s</text>')
    for number, figure in enumerate(figures):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{across(second, end_s):.1f},{up(mib):.1f}" for second, mib in figure["curve"][::2])
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{TOP + 14 + 18 * number}" fill="{colour}">{figure["name"]}: {figure["most_mib"]}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    main()
