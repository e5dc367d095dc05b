# SPDX-License-Identifier: GPL-2.0
"""Plots of a part: a bar a mode, as long as the median, with a line from the
least to the greatest run."""

import re
import statistics
from xml.sax.saxutils import escape

from live.summary import groups

# key, heading, divisor
PANELS = (("total_s", "total time, s", 1),
          ("blackout_ms", "blackout seen by the guest, ms", 1),
          ("wire_bytes", "on the wire, MB", 1e6),
          ("cpu_s", "CPU of both ends, s", 1))
LABEL, WIDTH, ROW, HEAD = 170, 300, 18, 34
COLOURS = {"umig": "#1b7f5c", "qemu": "#8a8fa3"}


def _text(x, y, text, anchor="start", size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'font-size="{size}">{escape(text)}</text>')


def _bar(mode, values, x, y, scale):
    """One mode's; what has not ended says so."""
    label = _text(x + LABEL - 6, y + 12, mode, "end")
    if not values:
        return [label, _text(x + LABEL, y + 12, "has not ended")]
    middle = statistics.median(values)
    left = x + LABEL
    low, high = (left + v * scale for v in (min(values), max(values)))
    end = left + middle * scale
    return [label,
            f'<rect x="{left}" y="{y + 2}" width="{middle * scale:.1f}" '
            f'height="{ROW - 5}" fill="{COLOURS[mode[:4]]}"/>',
            f'<path d="M{low:.1f} {y + 8.5}H{high:.1f}" stroke="black"/>',
            _text(max(high, end) + 5, y + 12, f"{middle:.3g}", size=11)]


def _panel(modes, key, heading, divisor, x, y):
    values = {mode: [r[key] / divisor for r in runs if r["completed"]]
              for mode, runs in modes.items()}
    most = max((v for mine in values.values() for v in mine), default=0)
    scale = WIDTH / most if most > 0 else 0
    out = [_text(x + LABEL, y + 20, heading, size=13)]
    for i, (mode, mine) in enumerate(values.items()):
        out += _bar(mode, mine, x, y + HEAD + i * ROW, scale)
    return out


def plot(title, modes):
    """An SVG document of @modes: {name: runs}."""
    width, height = LABEL + WIDTH + 60, HEAD + ROW * len(modes) + 16
    body = [_text(12, 22, title, size=15)]
    for i, (key, heading, divisor) in enumerate(PANELS):
        body += _panel(modes, key, heading, divisor, i % 2 * width,
                       30 + i // 2 * height)
    rows = (len(PANELS) + 1) // 2
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * width}" '
            f'height="{30 + rows * height}" font-family="sans-serif">\n'
            '<rect width="100%" height="100%" fill="white"/>\n' +
            "\n".join(body) + "\n</svg>\n")


def write_all(runs, result):
    """A file for each part and load, beside @result; their paths."""
    stem = re.sub(r"\.json$", "", result)
    paths = []
    for (part, load), modes in groups(runs).items():
        name = re.sub(r"[^a-z0-9]+", "-", f"{part}-{load}".lower())
        paths.append(f"{stem}.{name}.svg")
        with open(paths[-1], "w") as f:
            f.write(plot(f"{part}, {load}", modes))
    return paths
