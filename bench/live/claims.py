# SPDX-License-Identifier: GPL-2.0
"""What umig claims beside QEMU, and whether the runs bear it out.

A claim is measured, or says why it wasn't; what wasn't measured doesn't hold.
"""

import statistics

from live.plan import GENTLE, HARD, IDLE
from live.summary import aligned

MS_MEDIAN, MS_P99, MS_HARD, MS_STALL = 50, 300, 100, 100
PAGE_WIRE, PAGE_SOURCE_US, PAGE_TARGET_US = 48, 1.0, 1.5
BESIDE_FIXED, BESIDE_SHARE = 64 << 20, 0.01
PAGE = 4096


class Runs:
    """The runs of a bench, asked for by part, load and mode."""

    def __init__(self, runs):
        self.runs = runs

    def select(self, part, load, mode):
        return [r for r in self.runs if r["completed"] and r["part"] == part
                and r["load"].startswith(str(load)) and r["mode"] == mode]

    def unended(self, part, load, mode):
        """How many of these have not; None: there are none at all."""
        mine = [r["completed"] for r in self.runs if r["part"] == part
                and r["load"].startswith(str(load)) and r["mode"] == mode]
        return mine.count(False) if mine else None

    def median(self, key, part, load, mode):
        values = [r[key] for r in self.select(part, load, mode)]
        return statistics.median(values) if values else None

    def best_qemu(self, key, part, load):
        """The least median of all of QEMU's modes."""
        modes = {r["mode"] for r in self.runs if r["mode"].startswith("qemu")}
        values = [self.median(key, part, load, mode) for mode in modes]
        return min((v for v in values if v is not None), default=None)


def claim(name, measured, bound, unit="", missing="not in these runs"):
    """@measured: None if there is nothing, for the reason in @missing."""
    return {"name": name, "unit": unit, "bound": bound, "measured": measured,
            "holds": None if measured is None else measured <= bound,
            "why": missing if measured is None else ""}


def _over(a, b):
    return a / b if a is not None and b else None


def _ratios(runs, name, part, load, mine, theirs, bounds):
    """A claim for each of @bounds: (key, word, bound)."""
    return [claim(f"{name}: {word}, {mine} / {theirs}", _over(
        runs.median(key, part, load, mine),
        runs.median(key, part, load, theirs)), bound, "x")
        for key, word, bound in bounds]


def _loopback(runs):
    out = [claim(f"1 loopback, nothing held: {word}, umig-insecure / best of "
                 "QEMU", _over(runs.median(key, "loopback", IDLE,
                                           "umig-insecure"),
                               runs.best_qemu(key, "loopback", IDLE)), 1.0, "x")
           for key, word in (("total_s", "time"), ("cpu_s", "CPU"))]
    return out + _ratios(runs, "1 loopback, encrypted", "loopback", IDLE,
                         "umig-sealed", "qemu-tls",
                         [("total_s", "time", 0.3)])


def _held(runs):
    """On memory without zero pages, or else on what there is."""
    asked = any(r["part"] == "shares" for r in runs.runs)
    part = "shares" if asked else "1g"
    name = f"2 1 Gbit/s, 82.8% held ({part})"
    return _ratios(runs, name, part, IDLE, "umig-sealed-held83", "qemu-plain", [
        ("wire_bytes", "wire", 0.19), ("total_s", "time", 0.25),
        ("cpu_s", "CPU", 0.6)]) + _ratios(
            runs, name, part, IDLE, "umig-insecure-held83", "qemu-plain",
            [("cpu_s", "CPU", 0.4)])


def _like(runs):
    """With what another guest has, if there are such runs, or else a share."""
    out = []
    for other, share, plain, zstd in (
            ("like", 70, [("wire_bytes", "wire", 0.14),
                          ("total_s", "time", 0.18)],
             [("total_s", "time", 0.35), ("cpu_s", "CPU", 0.5)]),
            ("unlike", 8, [("wire_bytes", "wire", 0.40),
                           ("total_s", "time", 0.45)],
             [("total_s", "time", 0.8), ("cpu_s", "CPU", 0.8)])):
        mode, held = f"umig-auto-{other}", f"memory of one {other} it"
        if not runs.select("1g", IDLE, mode):
            mode, held = f"umig-auto-held{share}", f"{share}%"
        name = f"3 1 Gbit/s, {held} held, auto"
        out += _ratios(runs, name, "1g", IDLE, mode, "qemu-plain", plain)
        out += _ratios(runs, name, "1g", IDLE, mode, "qemu-multifd-zstd", zstd)
    return out


def _hash_only(runs):
    """All pages held: everything that the migration takes, by its pages; in
    memory without gaps if there is such a part, as in one with gaps to get
    memory takes most of it."""
    mode = "umig-sealed-held100"
    mine = next((found for part in ("shares", "1g", "loopback")
                 if (found := runs.select(part, IDLE, mode))), [])
    out = []
    for key, word, bound, unit, factor in (
            ("wire_bytes", "wire", PAGE_WIRE, "bytes", 1),
            ("cpu_source_s", "source CPU", PAGE_SOURCE_US, "us", 1e6),
            ("cpu_target_s", "destination CPU", PAGE_TARGET_US, "us", 1e6)):
        values = [r[key] * factor * PAGE / r["nonzero_bytes"] for r in mine]
        out.append(claim(f"4 a page by its digest: {word}",
                         statistics.median(values) if values else None,
                         bound, unit))
    return out


def _percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _blackout_mode(runs):
    modes = [r["mode"] for r in runs.runs if r["part"] == "blackout"]
    return "umig-auto" if "umig-auto" in modes else "umig-sealed"


def _blackout(runs):
    out = []
    for load in (IDLE, GENTLE):
        ms = [r["blackout_ms"] for r in runs.select(
            "blackout", load, _blackout_mode(runs))]
        enough = len(ms) >= 200
        why = f"{len(ms)} migrations of 200: --parts blackout"
        out += [claim(f"5 blackout, {load}: median",
                      statistics.median(ms) if enough else None,
                      MS_MEDIAN, "ms", why),
                claim(f"5 blackout, {load}: 99 of 100",
                      _percentile(ms, 0.99) if enough else None, MS_P99, "ms",
                      why)]
    return out


def _worst(values):
    return max(values, default=None)


def _hard_mode(runs, mine):
    """What has not ended is no result of its speed, but no success either."""
    at = ("1g-hard", HARD, mine)
    done = runs.select(*at)
    name = f"5 {HARD}, {mine}"
    speeds = [1 - r["guest_speed"] for r in done]
    return _ratios(runs, f"5 {HARD}", "1g-hard", HARD, mine,
                   "qemu-multifd-zstd", [("total_s", "time", 1.2)]) + [
        claim(f"{name}: has not ended", runs.unended(*at), 0, "runs"),
        claim(f"{name}: blackout, worst",
              _worst([r["blackout_ms"] for r in done]), MS_HARD, "ms"),
        claim(f"{name}: longest standstill before, worst",
              _worst([r["stall_ms"] for r in done]), MS_STALL, "ms"),
        claim(f"{name}: speed that the guest loses, worst", _worst(speeds),
              0.75, "of 1")]


def _bystanders(runs):
    """vCPUs but the first, which alone writes; with the ring, which knows."""
    others = [vcpu for r in runs.select("1g-hard", HARD, "umig-auto-ring")
              for vcpu in r["vcpus"][1:]]
    name = f"5 {HARD}, umig-auto-ring: vCPUs that don't write"
    return [claim(f"{name}: {word}, worst",
                  _worst([vcpu[key] for vcpu in others]), 0, unit)
            for key, word, unit in (("ring_full", "ring-full exits", "exits"),
                                    ("held_ns", "held back for", "ns"))]


def _hard(runs):
    return _hard_mode(runs, "umig-auto") + _hard_mode(
        runs, "umig-auto-ring") + _bystanders(runs)


def _memory(runs):
    worst = [max(r["beside_source_bytes"], r["beside_target_bytes"]) /
             (BESIDE_FIXED + BESIDE_SHARE * r["memory_bytes"])
             for r in runs.runs
             if r["completed"] and r["mode"].startswith("umig")]
    per = {}
    for r in runs.runs:
        if r["part"] == "sizes" and r["completed"]:
            per.setdefault(r["load"], []).append(
                r["total_s"] / r["nonzero_bytes"])
    rates = [statistics.median(v) for v in per.values()]
    spread = max(rates) / min(rates) - 1 if len(rates) > 3 else None
    return [claim("6 memory beside the guest's / (64 MiB + 1%), worst",
                  max(worst, default=None), 1.0, "x"),
            claim("6 time a GiB, 1 to 8 GiB: spread", spread, 0.10, "of 1")]


def _right(runs):
    wrong = [r for r in runs.runs if r.get("wrong")]
    return [claim("runs with a wrong page", len(wrong) if runs.runs else None,
                  0)]


def claims(runs):
    """All, in order; of the records that bench/run writes."""
    asked = Runs(runs)
    return [c for part in (_loopback, _held, _like, _hash_only, _blackout,
                           _hard, _memory, _right) for c in part(asked)]


def table(found):
    rows = [["claim", "measured", "bound", "unit", "holds"]]
    for c in found:
        holds = {True: "yes", False: "NO", None: "not measured"}[c["holds"]]
        rows.append([c["name"], "-" if c["measured"] is None else
                     f"{c['measured']:.3g}", f"{c['bound']:g}", c["unit"],
                     f"{holds} ({c['why']})" if c["why"] else holds])
    return aligned(rows)
