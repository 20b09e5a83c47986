"""Pictures of the bench: plain SVG, readable on a light and on a dark page."""

import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 70, 190, 48, 56
COLOURS = ["#2f6fde", "#d9822b", "#1f9d6b", "#b04fc4", "#c0453f"]
STYLE = """<style>
  text { font: 13px system-ui, sans-serif; fill: #57606a } .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #8c959f; stroke-opacity: .25 } .bar { stroke: #8c959f; stroke-dasharray: 5 4 }
</style>"""


def frame(title, body):
    """A picture."""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">\n{STYLE}\n'
            f'<text class="title" x="{LEFT}" y="24">{title}</text>\n' + "\n".join(body) + "\n</svg>\n")


def text(x, y, words, anchor="start", extra=""):
    """Some words."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{words}</text>'


def size(count):
    """20000000 → 20 M"""
    for unit, name in ((1_000_000, " M"), (1_000, " k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return str(count)


def round_up(value):
    """The next of 1, 2, 5, 10, …"""
    step = 10 ** math.floor(math.log10(value))
    return next(factor * step for factor in (1, 2, 5, 10) if factor * step >= value)


def axis(most, unit, body):
    """Lines across; gives the height of a value."""
    step = round_up(most / 5)
    top = step * math.ceil(most / step)

    def height(value):
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    for line in range(round(top / step) + 1):
        y = height(line * step)
        body.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        body.append(text(LEFT - 8, y + 4, f"{line * step:g}", "end"))
    body.append(text(LEFT - 8, TOP - 12, unit, "end"))
    return height


def lines(title, sizes, series, unit, below):
    """Values by size of the store, sizes apart as their logarithms are."""
    body = []
    height = axis(max(max(values) for _, values in series), unit, body)
    least, most = math.log(sizes[0]), math.log(sizes[-1])
    places = [LEFT + 20 + (math.log(one) - least) / (most - least) * (WIDTH - LEFT - RIGHT - 40) for one in sizes]
    for x, one in zip(places, sizes):
        body.append(text(x, HEIGHT - BOTTOM + 20, size(one), "middle"))
    body.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, below, "middle"))
    labels = spread([height(values[-1]) for _, values in series])
    for (name, values), colour, label in zip(series, COLOURS, labels):
        points = " ".join(f"{x:.1f},{height(value):.1f}" for x, value in zip(places, values))
        body.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        body += [f'<circle cx="{x:.1f}" cy="{height(value):.1f}" r="3.5" fill="{colour}"><title>{name}: {value:.0f}</title></circle>'
                 for x, value in zip(places, values)]
        body.append(text(WIDTH - RIGHT + 2, label + 4, f"{name}: {values[-1]:.0f}", extra=f' style="fill: {colour}"'))
    return frame(title, body)


def spread(heights):
    """Places of labels, far enough apart to be read."""
    order = sorted(range(len(heights)), key=lambda at: heights[at])
    placed, lowest = [0.0] * len(heights), -math.inf
    for at in order:
        lowest = placed[at] = max(heights[at], lowest + 16)
    return placed


def bars(title, names, parts, marks, unit, below):
    """Stacked columns; `marks` are lines across some of them: first, last, value, words."""
    body = []
    totals = [sum(values) for values in zip(*(values for _, values in parts))]
    height = axis(max(totals + [value for *_, value, _ in marks]), unit, body)
    width = (WIDTH - LEFT - RIGHT) / len(names)
    for column, name in enumerate(names):
        base, x = 0.0, LEFT + column * width
        for (part, values), colour in zip(parts, COLOURS):
            top = base + values[column]
            body.append(f'<rect x="{x + 4:.1f}" width="{width - 8:.1f}" y="{height(top):.1f}" height="{height(base) - height(top):.1f}" '
                        f'fill="{colour}"><title>{part}: {values[column]:.1f}</title></rect>')
            base = top
        body.append(text(x + width / 2, HEIGHT - BOTTOM + 20, name, "middle"))
    for first, last, value, words in marks:
        x1, x2, y = LEFT + first * width, LEFT + (last + 1) * width, height(value)
        body.append(f'<line class="bar" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        body.append(text((x1 + x2) / 2, y - 6, words, "middle"))
    for place, ((part, _), colour) in enumerate(zip(parts, COLOURS)):
        body.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{TOP + place * 22}" width="12" height="12" fill="{colour}"/>')
        body.append(text(WIDTH - RIGHT + 32, TOP + place * 22 + 11, part))
    body.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, below, "middle"))
    return frame(title, body)
