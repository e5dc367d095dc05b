#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The module comes and goes fifty times on a host where guests run and ksmd
merges; each time it has a key, hashes, and answers.  The kernel may not
complain (the lab sees to that), and no reference may be left behind."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from lab import guest, ksm, scenario
from lab.cluster import Cluster
from lab.scenario import Guest
from lab.tap import Tap, check, diag

CYCLES = 50
WORK = {"read_mb": 24}

# One load and unload, with work for the module in between.  Says what it saw.
CYCLE = """
set -e
insmod /umig.ko
umig index set-key /run/umig.key
until umig index info --json | grep -Eq '"hashed_pages": *[1-9]'; do
	usleep 50000
done
umig index list > /run/list
umig index stat --json | tr -d '\\n'
rmmod umig
"""


def cycles(tap, host, guests, churn):
    """The fifty times."""
    name = f"{CYCLES} loads and unloads while guests run and ksmd merges"
    with tap.case(name):
        inserts = 0
        for i in range(CYCLES):
            # Take pages out of KSM, so that it has to merge them again.
            churn.send(f"touch {2 + i % 7}\n")
            out = host.sh(CYCLE, 60)
            check('"hashed"' in out, out)
            inserts += '"hook_inserts": 0' not in out
        host.check()
        diag(f"ksmd merged while loaded in {inserts} of {CYCLES} cycles")
        check(inserts >= CYCLES // 2, f"{inserts} cycles saw merges")
        for g in guests:
            g.serial.wait_beats(5)
            g.serial.check()


WATCH = """
set -e
insmod /umig.ko
umig index set-key /run/umig.key
until umig index info --json | grep -Eq '"hashed_pages": *[1-9]'; do
	usleep 50000
done
umig index rescan
until umig index stat --json | grep -Eq '"rescans": *[2-9]'; do
	usleep 50000
done
umig index coverage >&2
"""


def watched(tap, host):
    """What umig index tells of a host where ksmd merges."""
    with tap.case("umig index top, coverage and rescan"):
        host.sh(WATCH, 60)
        top = json.loads(host.sh("umig index top --count 3 --json"))
        check(0 < len(top["top"]) <= min(3, top["contents"]), f"{top}")
        check(all(c["sharers"] >= 1 and c["pages"] >= 1
                  for c in top["top"]), f"{top}")
        told = json.loads(host.sh("umig index coverage --json"))
        check(told["ksm_run"] == 1 and told["pages_shared"] > 0, f"{told}")
        check(0 <= told["hashed_percent"] <= 100, f"{told}")
        check(told["hashed_pages"] <= told["merged_pages"], f"{told}")
        check(told["advice"] == [], f"{told}")
        host.sh("rmmod umig")


def busy(tap, host):
    """An open device keeps the module; closing it lets it go."""
    with tap.case("the module stays while its device is open"):
        host.sh("insmod /umig.ko")
        holder = host.start("exec 3< /dev/umig; echo OPEN; read x",
                            keep_input=True)
        holder.wait_line(lambda line: line.text == "OPEN")
        c = host.run("rmmod umig")
        check(c.status != 0, "rmmod is refused")
        holder.end_input()
        holder.wait()
        host.sh("rmmod umig")


def nothing_left(tap, host, before, guests, churn):
    """Everything ends; nothing is left."""
    with tap.case("all ended: counters as before, no page of KSM left"):
        for g, disk in guests:
            g.stop()
            guest.fsck(disk)
        churn.kill()
        after = ksm.wait(
            host, lambda now: now.pages_shared == before.pages_shared, 60,
            f"pages_shared is {before.pages_shared} again")
        diag(f"{after}")
        left = ksm.let_go(host)
        check(left == 0, f"{left} pages still referenced")


def main():
    """The exit status."""
    tap = Tap()
    disks = [guest.scratch(), guest.scratch()]
    with tap.lab("the lab"), Cluster(1, files=scenario.files(),
                                     ko=scenario.KO, disks=disks) as lab:
        host = lab.hosts[0]
        host.put("/run/umig.key", bytes(range(32, 64)))
        before = ksm.state(host)
        guests = [Guest(n, f"/dev/{d}", memory="160M", work=WORK).start(host)
                  for n, d in (("g1", "vda"), ("g2", "vdb"))]
        for g in guests:
            g.ready()
        churn = host.start(["mergeable", "/dev/vda", "32", "3"],
                           keep_input=True)
        churn.wait_line(lambda line: line.text == "READY")
        ksm.speed(host, 4000)
        cycles(tap, host, guests, churn)
        watched(tap, host)
        busy(tap, host)
        nothing_left(tap, host, before, list(zip(guests, disks)), churn)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
