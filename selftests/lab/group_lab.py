#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""umig run --group: the VM's process is a member of its group from its first to
its last moment, and doesn't run where it can't be one.  And what is said where
KSM, or its hooking, is of no use."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from lab import scenario
from lab.cluster import Cluster
from lab.tap import Tap, check, diag

CONTROL = "/run/umig/grouped.sock"
RUN = ("umig run --group web --memory 96M --serial none --paused "
       f"--kernel /guest/vmlinuz --control {CONTROL}")
BREAK_SHARERS = 32


def members(host):
    """How many processes are in a group."""
    return json.loads(host.sh("umig index stat --json"))["group_members"]


def start(host, verb_line=RUN):
    """A VM that doesn't run, and its process."""
    host.sh(f"rm -f {CONTROL}")
    c = host.start(verb_line)
    c.wait_line(lambda line: "control socket" in line.text, timeout=60)
    return c


def no_module(tap, host):
    """Nothing tells anybody anything: a warning."""
    with tap.case("without the module it runs, and warns"):
        c = start(host)
        host.sh(f"umig quit --control {CONTROL}")
        check(c.wait(30) == 0, f"exit status {c.status}")
        diag(c.err.strip())
        check("group web" in c.err and "isn't loaded" in c.err, c.err)


def member(tap, host):
    """It is counted while it is there."""
    with tap.case("it is a member while it is there"):
        host.sh("insmod /umig.ko")
        check(members(host) == 0, "nobody is, at first")
        c = start(host)
        check("KSM is off" in c.err, f"a word on KSM: {c.err}")
        check(members(host) == 1, f"{members(host)} members")
        out = host.sh(f"umig status --control {CONTROL}")
        check("group      web" in out, out)
        check(host.run("rmmod umig").status != 0, "the module can't go")
        host.sh(f"umig quit --control {CONTROL}")
        check(c.wait(30) == 0, f"exit status {c.status}: {c.err}")
        host.sh("rmmod umig")


def no_hooks(tap, host):
    """A kernel that the module can't hook."""
    with tap.case("a module without hooks says so, and what it means"):
        host.sh("insmod /umig-debug.ko "
                f"debug_break={scenario.BREAK_SYMBOL}; "
                "umig index gen-key > /run/key; umig index set-key /run/key")
        check(json.loads(host.sh("umig index info --json"))["mode"] == "scan",
              "the mode")
        log = host.sh("dmesg")
        check("no such function" in log and "mode scan" in log, "why")
        c = host.run("umig index coverage")
        check(c.status == 0 and "hooks don't work" in c.err, c.err)
        host.sh("rmmod umig")


def no_groups(tap, host):
    """A module that can't keep groups apart would tell."""
    with tap.case("it doesn't run with a module that can't do groups"):
        host.sh("insmod /umig-debug.ko; "
                f"echo {BREAK_SHARERS} > "
                "/sys/module/umig/parameters/debug_break; "
                "echo 1 > /sys/kernel/mm/ksm/run; "
                "echo 5000 > /sys/kernel/mm/ksm/pages_to_scan")
        merging = host.start("mergeable /guest/vmlinuz 2 3", keep_input=True)
        host.sh("until umig index info | grep -q 'groups.*no'; "
                "do usleep 100000; done", timeout=60)
        merging.kill()
        c = host.run(RUN, 30)
        diag(c.err.strip())
        check(c.status == 1, f"exit status {c.status}")
        check("web" in c.err and "groups apart" in c.err, c.err)


def main():
    """The exit status."""
    tap = Tap()
    with tap.lab("the lab"), Cluster(1, files=scenario.files(),
                                     ko=[scenario.KO, scenario.KO_DEBUG]
                                     ) as lab:
        host, = lab.hosts
        no_module(tap, host)
        member(tap, host)
        no_hooks(tap, host)
        no_groups(tap, host)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
