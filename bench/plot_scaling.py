#!/usr/bin/env python3
"""Draws the table of bench/scaling.sh as an SVG: bench/scaling.sh | tee scaling.md; bench/plot_scaling.py scaling.md out.svg

Panels: images per second against batch, threads, side and feature maps, and peak memory against side; both axes
logarithmic. Each panel holds the rows that differ from the base (32x32, 32 maps, batch 16, most threads) in its own
quantity only.
"""
import math
import sys

COLUMNS = ("side", "maps", "batch", "threads")
COLOURS = {"train": "#c0392b", "search": "#2471a3"}
NAMES = {"train": "training step", "search": "search step"}
WIDTH, HEIGHT, MARGIN = 230, 190, 46


def read(path):
    rows = []
    with open(path) as f:
        for line in f:
            cells = [c.strip() for c in line.strip().strip("|").split("|")]
            if cells[0] in COLOURS:
                rows.append({"step": cells[0], **dict(zip(COLUMNS, map(int, cells[1:5]))), "speed": float(cells[5]), "memory": float(cells[6])})
    if not rows:
        sys.exit(f"{path}: no rows of a table by bench/scaling.sh")
    return rows


def ticks(low, high):
    """Powers of two or ten between the ends."""
    base = 2 if high / low < 200 else 10
    first, last = math.floor(math.log(low, base) + 1e-9), math.ceil(math.log(high, base) - 1e-9)
    step = max(1, (last - first) // 5)
    return [base ** e for e in range(first, last + 1, step)]


def panel(rows, base, x, y, title, left, top):
    series = {}
    for step in COLOURS:
        fits = [r for r in rows if r["step"] == step and all(r[c] == base[c] for c in COLUMNS if c != x)]
        series[step] = sorted({(r[x], r[y]) for r in fits})
    points = [p for s in series.values() for p in s]
    xt, yt = ticks(*bounds(p[0] for p in points)), ticks(*bounds(p[1] for p in points))

    def place(value, marks, start, length):
        return start + length * (math.log(value / marks[0]) / math.log(marks[-1] / marks[0]) if marks[-1] > marks[0] else 0.5)

    px = lambda v: place(v, xt, left + MARGIN, WIDTH - MARGIN - 12)
    py = lambda v: place(v, yt, top + HEIGHT - 32, -(HEIGHT - 60))
    out = [f'<text x="{left + MARGIN}" y="{top + 16}" class="t">{title}</text>']
    for v in xt:
        out.append(f'<line x1="{px(v):.1f}" x2="{px(v):.1f}" y1="{py(yt[0]):.1f}" y2="{py(yt[-1]):.1f}" class="g"/>'
                   f'<text x="{px(v):.1f}" y="{top + HEIGHT - 16}" text-anchor="middle">{v:g}</text>')
    for v in yt:
        out.append(f'<line x1="{px(xt[0]):.1f}" x2="{px(xt[-1]):.1f}" y1="{py(v):.1f}" y2="{py(v):.1f}" class="g"/>'
                   f'<text x="{left + MARGIN - 5}" y="{py(v) + 4:.1f}" text-anchor="end">{v:g}</text>')
    for step, s in series.items():
        path = " ".join(f"{px(a):.1f},{py(b):.1f}" for a, b in s)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[step]}" stroke-width="1.6"/>')
        out += [f'<circle cx="{px(a):.1f}" cy="{py(b):.1f}" r="2.6" fill="{COLOURS[step]}"/>' for a, b in s]
    return out


def bounds(values):
    values = list(values)
    return min(values), max(values)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = read(sys.argv[1])
    base = {"side": 32, "maps": 32, "batch": 16, "threads": max(r["threads"] for r in rows)}
    panels = [("batch", "speed", "images/s by batch"), ("threads", "speed", "images/s by threads"), ("side", "speed", "images/s by side"),
              ("maps", "speed", "images/s by feature maps"), ("side", "memory", "peak MB by side")]
    body = []
    for i, (x, y, title) in enumerate(panels):
        body += panel(rows, base, x, y, title, WIDTH * (i % 3), HEIGHT * (i // 3))
    for i, (step, colour) in enumerate(COLOURS.items()):
        body.append(f'<text x="{2 * WIDTH + MARGIN}" y="{HEIGHT + 40 + 18 * i}" style="fill:{colour}" class="t">{NAMES[step]}</text>')
    style = "text{font:11px sans-serif;fill:#333}.t{font-weight:bold}.g{stroke:#ddd}"
    with open(sys.argv[2], "w") as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{3 * WIDTH}" height="{2 * HEIGHT}" viewBox="0 0 {3 * WIDTH} {2 * HEIGHT}">'
                f'<style>{style}</style><rect width="100%" height="100%" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n")


if __name__ == "__main__":
    main()
