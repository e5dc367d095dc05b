#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The module's tests, all in one lab host.

    module_lab.py [PROGRAM...]      all, or just these: churn_test, ...

The programs are built by "make kmod-tests"; UMIG_CHURN_SECONDS (30) says how
long the churn tests take.  With UMIG_DEBUG_KERNEL=1 the host has the debug
kernel, and what that has noticed is told at the end.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# pylint: disable=wrong-import-position
from lab import debug_kernel
from lab.cluster import Cluster
from lab.remote import CommandFailed
from lab.scenario import BUILD, MODULES
from lab.tap import Skip, Tap, check, diag

SECONDS = int(os.environ.get("UMIG_CHURN_SECONDS") or 30)
# Memory that can go offline, for the leases in it, and two memory nodes.
CMDLINE = "movablecore=1G numa=fake=2"
KMEMLEAK = "/sys/kernel/debug/kmemleak"
DEBUG = ["env", "UMIG_KO=/umig-debug.ko"]
# Programs wait that many times as long before they give up: the machine may be
# busy, the debug kernel is slow; and that one needs memory for itself.
SLOW = 10 if debug_kernel.wanted() else 3
MEMORY = "3G" if debug_kernel.wanted() else "2G"
# For a host into which memory can be plugged; the debug kernel has no ACPI.
PLUGGABLE = "2G,slots=1,maxmem=8G"
if debug_kernel.wanted():
    # Without ACPI it warns that faked nodes get their CPUs late.  And it is slow:
    # RCU stalls after ten times as long.
    CMDLINE += " workqueue.disable_numa=1 rcupdate.rcu_cpu_stall_timeout=210"

# Each program's command lines.
PROGRAMS = {
    "abi_test": [["abi_test"]],
    "digest_test": [["digest_test"]],
    "fail_load_test": [["fail_load_test"]],
    "fail_nth_test": [["fail_nth_test"]],
    "index_test": [["index_test"]],
    "lease_test": [["lease_test"]],
    "group_test": [["group_test", SECONDS]],
    "hooks_test": [["hooks_test"]],
    "observe_test": [["observe_test"]],
    "huge_test": [["huge_test"]],
    "numa_test": [["numa_test"]],
    "offline_test": [["offline_test"]],
    "share_test": [["share_test"]],
    "unshare_test": [["unshare_test"]],
    "swap_test": [["swap_test"]],
    "remote_test": [["remote_test"]],
    "refuse_test": [DEBUG + ["refuse_test"]],
    "scan_test": [DEBUG + ["scan_test"]],
    "unload_test": [["unload_test"]],
    "churn_test": [["churn_test", SECONDS]],
    "stress_test": [["stress_test", SECONDS]],
}

RESULT = re.compile(r"(not )?ok \d+ - (.*?)(?: # SKIP (.*))?$")
PLAN = re.compile(r"1\.\.(\d+)$")


class Relay:
    """Tells a program's TAP again as part of this one."""

    def __init__(self, tap, name):
        self.tap = tap
        self.name = name
        self.plan = None
        self.results = 0
        self.failed = 0
        self.comments = []

    def line(self, text):
        """One line of the program's output."""
        result, plan = RESULT.match(text), PLAN.match(text)
        if plan:
            self.plan = int(plan[1])
        elif result:
            self.results += 1
            self.failed += bool(result[1])
            with self.tap.case(f"{self.name}: {result[2]}"):
                if result[3]:
                    raise Skip(result[3])
                check(not result[1], "\n".join(self.comments) or "failed")
            self.comments = []
        elif text.startswith("# "):
            self.comments.append(text[2:])
            diag(text[2:])
        elif not text.startswith("TAP version"):
            diag(text)

    def end(self, command):
        """The program has ended: did it say all it had to?"""
        whole = self.plan is not None and self.results == self.plan
        if not whole or bool(command.status) != bool(self.failed):
            with self.tap.case(f"{self.name} runs to its end"):
                check(False, f"{self.results} of {self.plan} results, exit "
                      f"status {command.status}")


def plug(host):
    """A memory block more."""
    host.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": "more",
                              "size": 128 << 20})
    host.qmp("device_add", driver="pc-dimm", id="dimm", memdev="more")


def unplug(host):
    """Ask for it back."""
    host.qmp("device_del", id="dimm")


ORDERS = {"# lab: plug": plug, "# lab: unplug": unplug}


def serve(host, command, timeout):
    """Do what a program asks of the lab, until it ends."""
    at = 0
    try:
        while True:
            at = command.wait_line(lambda line: line.text in ORDERS, timeout,
                                   at)
            ORDERS[command.lines[at].text](host)
            at += 1
    except CommandFailed:
        command.wait(timeout)


def run_program(host, tap, argv):
    """Run a program in the host and relay its results."""
    name = next(a for a in argv if a in PROGRAMS)
    relay = Relay(tap, name)
    command = host.start(["env", f"UMIG_SLOW={SLOW}"] + argv)
    try:
        serve(host, command, (600 + 20 * SECONDS) * SLOW)
    finally:
        for line in command.lines:
            relay.line(line.text)
    relay.end(command)


def lockdep_watches(host):
    """It stops at the first thing that it finds."""
    return re.search(r"debug_locks: +1$",
                     host.sh("cat /proc/lockdep_stats"), re.M)


def is_kernels_own(leak):
    """A cache whose directory in sysfs can't be made forgets the name of that:
    sysfs_slab_add() of 6.1.  The module's caches are made under lack of memory,
    by fail_load_test; nothing of what the module itself allocates is let off."""
    return "kobject_set_name_vargs" in leak and "sysfs_slab_add" in leak


def leaks(host):
    """What nothing points to any more."""
    # What is young may be on its way.
    host.sh(f"echo scan > {KMEMLEAK}; sleep 6; echo scan > {KMEMLEAK}",
            60 * SLOW)
    found = re.split(r"^(?=unreferenced object)",
                     host.sh(f"cat {KMEMLEAK}"), flags=re.M)
    found = [leak for leak in found if leak.strip()]
    ours = [leak for leak in found if not is_kernels_own(leak)]
    if len(ours) < len(found):
        diag(f"the kernel itself has leaked {len(found) - len(ours)} names of "
             "caches")
    return "".join(ours)


def watchers(host, tap):
    """What the debug kernel says only if it is asked."""
    with tap.case("lockdep has watched to the end"):
        check(lockdep_watches(host), "no: see the console")
    with tap.case("nothing is leaked"):
        host.sh("! grep -q '^umig ' /proc/modules || rmmod umig")
        found = leaks(host)
        check(not found, found)


def main():
    """Boot a host and run everything in it."""
    names = sys.argv[1:] or list(PROGRAMS)
    programs = os.path.join(BUILD, "selftests/kmod")
    files = [(os.path.join(programs, n), f"/bin/{n}") for n in names]
    modules = [os.path.join(MODULES, "umig.ko"),
               os.path.join(MODULES, "umig-debug.ko")]
    more = dict(files=files, ko=modules, cpus=2, modules=["zram"])
    tap = Tap()
    with tap.lab("no kernel complaint"):
        with Cluster(1, cmdline=CMDLINE, memory=MEMORY, **more) as lab:
            for name in names:
                for argv in PROGRAMS[name]:
                    run_program(lab.hosts[0], tap, argv)
                    lab.check()
            if debug_kernel.wanted():
                watchers(lab.hosts[0], tap)
        if "offline_test" in names and not debug_kernel.wanted():
            with Cluster(1, memory=PLUGGABLE, **more) as lab:
                run_program(lab.hosts[0], tap, ["offline_test", "plugged"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
