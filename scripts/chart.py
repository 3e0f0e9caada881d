# SPDX-License-Identifier: Apache-2.0
"""A line chart as SVG, for pages that are read in a browser or on a forge: no script, no font of its own, colour-blind safe."""
import html
import math

# Okabe and Ito's palette, and marks, so that nothing hangs on colour alone.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 400, 78, 46, 52


def ticks(high):
    """Round values from 0 to above `high`, about five."""
    step = 10 ** math.floor(math.log10(high / 5)) if high > 0 else 1
    for factor in (1, 2, 2.5, 5, 10):
        if high / (step * factor) <= 5.5:
            step *= factor
            break
    return [i * step for i in range(int(math.ceil(high / step)) + 1)]


def decades(low, high):
    return [10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def mark(kind, x, y, colour):
    if kind % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    if kind % 4 == 1:
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}"/>'
    if kind % 4 == 2:
        return f'<path d="M{x:.1f} {y - 5:.1f}l5 9h-10z" fill="{colour}"/>'
    return f'<path d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z" fill="{colour}"/>'


def number(value):
    return f"{value:,.10g}"


def lines(title, x_name, y_name, series, log=False):
    """`series`: name -> [(label on x, y)]; x labels are categories in order of appearance."""
    labels = list(dict.fromkeys(label for values in series.values() for label, _ in values))
    heights = [y for values in series.values() for _, y in values]
    log = log and min(heights) > 0
    marks = decades(min(heights), max(heights)) if log else ticks(max(heights))
    key = 50 + 7 * max(map(len, series)) if len(series) > 1 else 20  # about 7 units a letter
    plot_w, plot_h = WIDTH - LEFT - key, HEIGHT - TOP - BOTTOM

    def x_of(label):
        return LEFT + plot_w * (labels.index(label) + 0.5) / len(labels)

    def y_of(value):
        share = math.log(value / marks[0]) / math.log(marks[-1] / marks[0]) if log else value / marks[-1] if marks[-1] else 0
        return TOP + plot_h * (1 - share)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" font-size="12">']
    out.append(f"<title>{html.escape(title)}</title>")
    out.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>')
    out.append(f'<text x="{LEFT}" y="20" font-size="15" font-weight="bold">{html.escape(title)}</text>')
    out.append(f'<text x="{LEFT}" y="37" fill="#444">{html.escape(y_name)}</text>')
    for value in marks:
        y = y_of(value)
        out.append(f'<path d="M{LEFT} {y:.1f}h{plot_w}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    for label in labels:
        out.append(f'<text x="{x_of(label):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{html.escape(label)}</text>')
    out.append(f'<text x="{LEFT + plot_w / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle" fill="#444">{html.escape(x_name)}</text>')
    for i, (name, values) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        dash = ' stroke-dasharray="6 4"' if i >= 4 else ""
        path = "L".join(f"{x_of(label):.1f} {y_of(y):.1f}" for label, y in values)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        for label, y in values:
            out.append(mark(i, x_of(label), y_of(y), colour))
        if len(series) > 1:
            at = TOP + 10 + 20 * i
            out.append(mark(i, WIDTH - key + 20, at, colour))
            out.append(f'<text x="{WIDTH - key + 32}" y="{at + 4}">{html.escape(name)}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
