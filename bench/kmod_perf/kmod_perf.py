#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run kmod_perf in a lab host: a table of what the module costs, as ratios to
what is measured beside it.

    kmod_perf.py [--result FILE.json]

The exit status is 1 if something is above its bound.  Needs what "make
bench-module" builds.
"""

import argparse
import json
import os
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPO, "selftests"))
# pylint: disable=wrong-import-position
from lab.cluster import Cluster
from lab.say import LabError

BUILD = os.path.join(REPO, os.environ.get("BUILD") or "build")
SECONDS = 3000
# One CPU, so that the worker doesn't take this machine's from ksmd.  Without ERMS
# kernels copy words, which an emulator does faster than bytes, if not as fast as
# a processor.
CPUS = 1
CPU = "max,-erms,-fsrm"
# What, its time, the time that it is compared with, the bound.
ROWS = [
    ("RANGE, a merged page / its pagemap entry", "range", "pagemap", 3),
    ("RANGE, a private page / its pagemap entry", "range_plain",
     "pagemap_plain", 3),
    ("RANGE, an absent page / its pagemap entry", "range_sparse",
     "pagemap_sparse", 3),
    ("RANGE, no page table / its pagemap entry", "range_absent",
     "pagemap_absent", None),
    ("RANGE, a merged page / its entry read singly", "range",
     "pagemap_singly", None),
    ("CONFIRM, a page / copying it", "confirm", "memcpy", None),
    ("FILL, a page / copying it", "fill", "memcpy", None),
    ("FILL, a page / copying it by rep movsb", "fill", "movsb", None),
    ("SHARE, a page / copying it", "share", "memcpy", None),
    ("SHARE, a page / comparing it", "share", "memcmp", None),
    ("hashing a page / copying it", "hash", "memcpy", None),
    ("hashing a page / libsodium's digest", "hash", "digest", None),
    ("ksmd, a merged page / without the module", "ksmd", "ksmd_without", 1.1),
    ("the worker, a merged page / ksmd without it", "worker", "ksmd_without",
     None),
]


def least(found, name):
    """Nanoseconds: what else the machine does can only add to them."""
    return found.get(f"{name}_least_ns", found[f"{name}_ns"])


def table(found):
    """Lines, and whether all is within its bound."""
    good = True
    lines = [f"{'least nanoseconds a page':46} {'it':>8} {'beside':>8} "
             f"{'ratio':>7}"]
    for what, name, beside, bound in ROWS:
        it, other = least(found, name), least(found, beside)
        word = ""
        if bound:
            kept = it <= bound * other
            good &= kept
            word = f"  bound {bound}: {'kept' if kept else 'MISSED'}"
        lines.append(f"{what:46} {it:8.0f} {other:8.0f} {it / other:7.2f}"
                     f"{word}")
    lines.append(f"an index entry: {found['entry_bytes']:.0f} bytes, "
                 f"{100 * found['entry_bytes'] / 4096:.1f}% of a page")
    lines.append("the worker while ksmd merges: "
                 f"{100 * found['worker_share']:.0f}% of a core")
    return lines, good


def measure():
    """What kmod_perf says in a host of its own."""
    program = os.path.join(BUILD, "bench/kmod_perf/kmod_perf")
    with Cluster(1, files=[(program, "/bin/kmod_perf")],
                 ko=[os.path.join(BUILD, "umig.ko")], cpus=CPUS,
                 cpu=CPU) as lab:
        command = lab.hosts[0].run(["env", "UMIG_SLOW=10", "kmod_perf"],
                                   SECONDS)
        lab.check()
        if command.status:
            raise LabError(command.out.strip())
        return json.loads(command.out)


def main():
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result", help="JSON file to write")
    args = parser.parse_args()
    found = measure()
    lines, good = table(found)
    print("\n".join(lines))
    if args.result:
        with open(args.result, "w") as f:
            json.dump(found, f, indent=1)
            f.write("\n")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as e:
        print(f"kmod_perf: {e}", file=sys.stderr)
        sys.exit(1)
