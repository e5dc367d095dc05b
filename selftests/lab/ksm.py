# SPDX-License-Identifier: GPL-2.0
"""KSM in a lab host: its speed, its counters, and the reference walk."""

import array
import collections
import struct
import sys
import time

from . import image
from .say import LabError, say

KSM = "/sys/kernel/mm/ksm"
COUNTERS = ("full_scans", "pages_shared", "pages_sharing", "pages_unshared",
            "pages_volatile", "stable_node_chains", "stable_node_dups")

PRESENT, MERGED, ZERO = 1, 2, 4

State = collections.namedtuple("State", COUNTERS)


def walker():
    """What a cluster's files need for walk()."""
    return image.program("ksmwalk", also=(
        "../kmod/kcore.c", "../kmod/kcore.h")), "/bin/ksmwalk"


def speed(host, pages, sleep_ms=10, run=1):
    """Let ksmd look at @pages pages every @sleep_ms."""
    host.sh(f"cd {KSM}; echo {pages} > pages_to_scan; "
            f"echo {sleep_ms} > sleep_millisecs; echo {run} > run")


def state(host):
    """KSM's counters."""
    words = host.sh(f"cd {KSM}; cat {' '.join(COUNTERS)}").split()
    return State(*map(int, words))


def wait(host, condition, timeout, what):
    """Wait until condition(State); KSM announces nothing: it is asked."""
    end = time.monotonic() + timeout
    while not condition(now := state(host)):
        if time.monotonic() > end:
            raise LabError(f"{host.name}: KSM: not in {timeout} s: {what}: "
                           f"{now}")
        time.sleep(0.5)
    return now


def settle(host, timeout=480, tolerance=0.005, scans=3):
    """Wait until KSM has merged what there is to merge.

    That is: @scans full scans in a row changed next to nothing, and few pages
    are left that it has seen but not compared yet, which it counts as
    volatile: a page is compared at the second scan that finds it the same.
    """
    calm, last = 0, state(host)

    def settled(now):
        nonlocal calm, last
        if now.full_scans == last.full_scans:
            return False
        merged = now.pages_sharing + now.pages_shared
        moved = abs(merged - last.pages_sharing - last.pages_shared)
        known = merged + now.pages_unshared
        quiet = moved <= tolerance * merged and \
            now.pages_volatile <= 0.1 * known
        calm = calm + 1 if quiet else 0
        say(f"{host.name}: KSM: {now}", level=2)
        last = now
        return calm >= scans

    last = wait(host, settled, timeout, "KSM has settled")
    say(f"{host.name}: KSM settled: {last.pages_shared} pages shared by "
        f"{last.pages_sharing + last.pages_shared}")
    return last


class Walk:
    """The reference walk of a process's mergeable memory (ksmwalk.c).

    @flags[i], @digests[i]: of page i; a digest is None unless merged.
    """

    def __init__(self, data):
        magic, version, pages = struct.unpack_from("<4sIQ", data)
        if magic != b"KSMW" or version != 1 or len(data) != 16 + pages * 24:
            raise LabError("ksmwalk: malformed output")
        words = array.array("Q", data[16:])
        if sys.byteorder != "little":
            words.byteswap()
        self.flags = words[0::3]
        self.digests = [(a, b) if f & MERGED else None for f, a, b in
                        zip(self.flags, words[1::3], words[2::3])]

    def __len__(self):
        return len(self.flags)

    def merged(self):
        """How many pages KSM has merged."""
        return sum(d is not None for d in self.digests)

    def private(self):
        """How many pages take memory that isn't shared."""
        return sum(bool(f & PRESENT) and d is None for f, d in
                   zip(self.flags, self.digests))

    def contents(self):
        """The distinct contents of merged pages."""
        return {d for d in self.digests if d is not None}

    def merged_zero(self):
        """Indices of merged pages of zeroes."""
        return [i for i, f in enumerate(self.flags) if f & MERGED and f & ZERO]

    def merged_also_in(self, contents):
        """Indices of merged pages, other than zeroes, that are in @contents."""
        return [i for i, d in enumerate(self.digests)
                if d is not None and not self.flags[i] & ZERO
                and d in contents]


def walk(host, pid, timeout=120):
    """Walk a process's mergeable memory."""
    command = host.run(["ksmwalk", pid], timeout)
    command.check()
    result = Walk(command.out_bytes)
    say(f"{host.name}: reference walk of {pid}: {result.merged()} of "
        f"{len(result)} pages merged", level=2)
    return result


def anon_bytes(host):
    """The host's anonymous memory, a merged page counted once."""
    return int(host.sh("awk '/^AnonPages:/ { print $2 }' "
                       "/proc/meminfo")) << 10


def pages_of_host(host):
    """How many pages of the host are KSM's: by page flags, not its counters."""
    return int(host.sh("ksmwalk count"))


def let_go(host):
    """Make KSM give up all pages; returns how many are held nevertheless.

    With nobody left to map them, each is a reference that was leaked.
    """
    host.sh(f"echo 2 > {KSM}/run")
    return pages_of_host(host)
