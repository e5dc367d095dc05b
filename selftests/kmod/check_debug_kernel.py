#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The negative control of the run on the debug kernel: each kind of mistake,
made by a module that does nothing else, fails the run.

    check_debug_kernel.py FAULTY.KO
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# pylint: disable=wrong-import-position
from kmod.module_lab import CMDLINE, MEMORY, leaks, lockdep_watches
from lab.cluster import Cluster
from lab.tap import Tap, check, diag

# What the console says of each.  lockdep, which RCU's and the order of locks are
# for, looks no further when it has found a wrong order; nor after KASAN.
ON_CONSOLE = {
    "warn": "WARNING: ",
    "atomic": "BUG: sleeping function",
    "rcu": "suspicious RCU usage",
    "order": "possible circular locking",
    "freed": "KASAN: use-after-free",
    "bounds": "KASAN: slab-out-of-bounds",
}


def make(host, mistake):
    """Let it be made."""
    host.trouble = None
    host.sh(f"insmod /faulty.ko mistake={mistake} && rmmod faulty", 600)


def told(host, words):
    """The console is read by another thread."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if host.trouble and words in "\n".join(host.console):
            return True
        time.sleep(0.1)
    return False


def main():
    """Boot a host and make all mistakes in it."""
    tap = Tap()
    with tap.lab("mistakes are noticed"):
        with Cluster(1, ko=[sys.argv[1]], memory=MEMORY,
                     cmdline=CMDLINE + " kasan_multi_shot",
                     trouble_is_fatal=False) as lab:
            host = lab.hosts[0]
            with tap.case("nothing is wrong yet"):
                check(not host.trouble, host.trouble)
                check(lockdep_watches(host), "lockdep is off")
                check(not leaks(host), "a leak")
            with tap.case("leak: kmemleak"):
                make(host, "leak")
                found = leaks(host)
                diag(found.partition("\n")[0])
                check('comm "insmod"' in found, "not noticed")
            for mistake, words in ON_CONSOLE.items():
                with tap.case(f"{mistake}: {words.strip()}"):
                    make(host, mistake)
                    check(told(host, words), "not noticed")
                    diag(host.trouble)
            with tap.case("lockdep has stopped, and this is noticed"):
                check(not lockdep_watches(host), "not noticed")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
