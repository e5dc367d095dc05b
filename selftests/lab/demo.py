#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The demonstration: two hosts, four guests, one live migration.

Each host runs two guests of the same Debian image; each guest has read more
than 100 MB of its files; KSM merges what the two of a host have in common.
Then one guest, which counts, computes and works on its disk all the while,
moves to the other host, and only what that host lacks is sent.

    demo.py [REPORT.json]

Ends with status 0 if every expectation of demo_report.py is met.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from lab import guest, ksm, scenario
from lab.cluster import Cluster
from lab.demo_report import Demo, expectations, render
from lab.say import LabError, say

WORK = {"read_mb": 110, "mem_kb": 8192, "mem_rate": 400}
CALM_S = 30
KSM_FAST = 5000
KSM_NORMAL = 100


def interface_bytes(host):
    """What the host has sent on its network, by the kernel's count."""
    return int(host.sh("cat /sys/class/net/eth0/statistics/tx_bytes"))


def start_guests(lab):
    """Two guests a host; returns them by host."""
    names = (("g1", "vda"), ("g2", "vdb")), (("g3", "vdc"), ("g4", "vdd"))
    guests = [[scenario.Guest(n, f"/dev/{d}", work=WORK).start(host)
               for n, d in pair] for host, pair in zip(lab.hosts, names)]
    for g in guests[0] + guests[1]:
        g.ready()
    return guests


def merge(lab, guests):
    """Let KSM merge what it finds, and the modules hash it."""
    for host in lab.hosts:
        ksm.speed(host, KSM_FAST)
    say("KSM merges on both hosts")
    for host in lab.hosts:
        ksm.settle(host)
        for g in guests[0] + guests[1]:
            g.check_alive()
    for host in lab.hosts:
        ksm.speed(host, KSM_NORMAL, 20)
        scenario.wait_index(host)


def walk(demo, guests):
    """Which pages of the guest are merged on both sides, by /proc alone."""
    say("walking all guests' memory: what is merged where")
    (mover, _), there = guests
    held = set()
    for g in there:
        held |= ksm.walk(g.process.host, g.process.pid()).contents()
    mine = ksm.walk(mover.process.host, mover.process.pid())
    demo.merged_here = mine.merged()
    demo.mergeable = mine.merged_also_in(held)
    demo.merged_zero = mine.merged_zero()


def check_after(demo, mover):
    """The guest goes on at the destination and finds all as it left it."""
    pages = WORK["mem_kb"] // 4
    last = mover.serial.wait_beats(50)
    mover.serial.wait(lambda: mover.serial.beats[-1].mem >= last.mem + pages,
                      120, "all of its memory checked once more")
    mover.serial.check()
    demo.monotonic = mover.serial.monotonic()
    demo.beats_after = len([b for b in mover.serial.beats
                            if b.time > demo.ended])
    mover.stop()
    guest.fsck(demo.disk)


def play(demo):
    """The whole scenario."""
    disks = [guest.scratch() for _ in range(4)]
    demo.disk = disks[0]
    with Cluster(2, files=scenario.files(), ko=scenario.KO, load=True,
                 disks=disks, memory="2560M") as lab:
        source, target = lab.hosts
        scenario.set_key(source, target)
        scenario.introduce(source, target)
        guests = start_guests(lab)
        mover = guests[0][0]
        merge(lab, guests)
        calm_since = time.monotonic()
        walk(demo, guests)
        demo.index = [scenario.index(h, "info") for h in lab.hosts]
        mover.serial.wait(lambda: time.monotonic() > calm_since + CALM_S,
                          CALM_S + 60, f"{CALM_S} s of heartbeats")

        process = mover.listen(target)
        sent = interface_bytes(source)
        started = time.monotonic()
        migration = mover.start_migration(process)
        demo.report = migration.finish()
        demo.ended = migration.ended
        demo.interface_bytes = interface_bytes(source) - sent
        demo.classes = migration.classes()
        # The beat that ends the gap may still be on its way.
        mover.serial.wait_beats(2)
        demo.gap_before = mover.serial.longest_gap(started - CALM_S, started)
        demo.gap = mover.serial.longest_gap(started, time.monotonic())
        last, first = mover.serial.longest_silence(started, time.monotonic())
        say(f"longest silence: from {last.time - started:.2f} s after the "
            f"start of the migration to {first.time - started:.2f} s; it "
            f"ended after {demo.ended - started:.2f} s; the guest's clock "
            f"went on by {first.clock_ms - last.clock_ms} ms")
        check_after(demo, mover)


def main():
    """The exit status."""
    demo = Demo()
    guest.needs()
    try:
        play(demo)
    except LabError as e:
        print(f"demo: {e}", file=sys.stderr)
        return 1
    print(render(demo))
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w") as f:
            json.dump(demo.as_json(), f, indent=1)
            f.write("\n")
        say(f"report written to {sys.argv[1]}")
    missed = [text for ok, text in expectations(demo) if not ok]
    for text in missed:
        print(f"demo: MISSED: {text}", file=sys.stderr)
    print("demo: " + ("failed" if missed else "success"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
