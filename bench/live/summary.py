# SPDX-License-Identifier: GPL-2.0
"""Medians of the runs, and the table of them."""

import statistics

# key, heading, unit's divisor, digits
COLUMNS = (
    ("total_s", "time s", 1, 2),
    ("blackout_ms", "blackout ms", 1, 1),
    ("stall_ms", "stall ms", 1, 1),
    ("wire_bytes", "wire MB", 1e6, 1),
    ("cpu_source_s", "CPU src s", 1, 3),
    ("cpu_target_s", "CPU dst s", 1, 3),
    ("beside_source_bytes", "mem src MiB", 1 << 20, 1),
    ("beside_target_bytes", "mem dst MiB", 1 << 20, 1),
)
RATIO_KEYS = ("total_s", "wire_bytes", "cpu_s")


def median(runs, key):
    """Of the runs that ended; None if there is none."""
    values = [run[key] for run in runs if run["completed"]]
    return statistics.median(values) if values else None


def groups(runs):
    """{(part, load): {mode: runs}} in the order of the runs."""
    out = {}
    for run in runs:
        out.setdefault((run["part"], run["load"]), {}).setdefault(
            run["mode"], []).append(run)
    return out


def summarize(runs):
    """One record a part, load and mode: medians and how many ended."""
    out = []
    for (part, load), modes in groups(runs).items():
        for mode, mine in modes.items():
            record = {"part": part, "load": load, "mode": mode,
                      "runs": len(mine),
                      "completed": sum(run["completed"] for run in mine)}
            for key in [c[0] for c in COLUMNS] + ["cpu_s"]:
                record[key] = median(mine, key)
            base = modes.get("qemu-plain", [])
            for key in RATIO_KEYS:
                least = median(base, key)
                record["ratio_" + key] = (record[key] / least if least and
                                          record[key] is not None else None)
            out.append(record)
    return out


def _cell(value, divisor, digits):
    return "-" if value is None else f"{value / divisor:.{digits}f}"


def _row(record):
    cells = [record["mode"], f"{record['completed']}/{record['runs']}"]
    cells += [_cell(record[key], divisor, digits)
              for key, _, divisor, digits in COLUMNS]
    return cells + [_cell(record["ratio_" + key], 1, 2) for key in RATIO_KEYS]


def aligned(rows):
    """Columns as wide as their widest cell, the first one to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0])] + [
        cell.rjust(width) for cell, width in zip(row[1:], widths[1:])])
        for row in rows]


def table(summary):
    """Lines; ratios are to qemu-plain of the same part and load."""
    head = ["mode", "ended"] + [c[1] for c in COLUMNS] + [
        "x time", "x wire", "x CPU"]
    lines = []
    for key in dict.fromkeys((r["part"], r["load"]) for r in summary):
        rows = [head] + [_row(r) for r in summary
                         if (r["part"], r["load"]) == key]
        lines += ["", f"{key[0]}, {key[1]}", *aligned(rows)]
    return lines
