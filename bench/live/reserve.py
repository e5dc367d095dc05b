# SPDX-License-Identifier: GPL-2.0
"""Memory that is there.

In a virtual machine the first touch of a page that its own host has yet to back
costs twenty times what it costs later, and a kernel that reports free pages
(mm/page_reporting.c: blocks of 2 MiB and more, every two seconds) gives them back
to that host.  Whoever happens to get such pages loses the comparison, and a large
guest to a small one.  So the bench holds what is free, and gives it back as a
process takes it, a little ahead: what has been free for two seconds isn't there
any more.
"""

import contextlib
import mmap
import os
import re
import threading

from live import BenchError

MAP_NORESERVE = 0x4000
MADV_POPULATE_WRITE = 23
HUGE = 2 << 20
FREE = 384 << 20        # stays free: what everybody else takes meanwhile
AHEAD = 96 << 20        # of what a process has, so much is free for it
STEP = 8 << 20
PERIOD_S = 0.004
PAGE = os.sysconf("SC_PAGE_SIZE")


def _resident(pid):
    """Bytes, 0 of a process that has ended."""
    try:
        with open(f"/proc/{pid}/statm") as f:
            return int(f.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def meminfo(name):
    """Bytes, of a line of /proc/meminfo."""
    with open("/proc/meminfo") as f:
        return int(re.search(rf"{name}:\s+(\d+)", f.read())[1]) << 10


def _whole(size):
    """In huge pages, rounded down."""
    return size // HUGE * HUGE


class Reserve:
    """All of the machine's free memory but @free bytes, once it is filled.

    The first @held bytes of a mapping, which grows and shrinks at its end; never
    more than @most, which is what it was first.  Otherwise whatever the kernel
    takes from the page cache to have something free would be taken, too, until
    no image is in there any more."""

    def __init__(self, free=FREE):
        self.free = free
        self.held = 0
        self.most = 0
        self.map = mmap.mmap(-1, _whole(meminfo("MemTotal")),
                             flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS |
                             MAP_NORESERVE)
        self.map.madvise(mmap.MADV_HUGEPAGE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.map.close()

    def give(self, size):
        """Set @size bytes free, or what there is."""
        size = min(_whole(size + HUGE - 1), self.held)
        if size > 0:
            self.held -= size
            self.map.madvise(mmap.MADV_DONTNEED, self.held, size)

    def fill(self):
        """Hold what is free by now, or give back what is missing."""
        wanted = self.held + meminfo("MemFree") - self.free
        self.most = self.most or max(0, min(_whole(wanted), len(self.map)))
        wanted = max(0, min(_whole(wanted), self.most))
        self.give(self.held - wanted)
        self._take(wanted - self.held)

    def _take(self, size):
        if size <= 0:
            return
        try:
            self.map.madvise(MADV_POPULATE_WRITE, self.held, size)
        except OSError as e:
            raise BenchError(f"no memory to hold, {size >> 20} MiB: {e}")
        self.held += size

    def _follow(self, pid, before, ended):
        given = AHEAD
        while True:
            wanted = _resident(pid) - before + AHEAD
            if wanted - given >= STEP:
                self.give(wanted - given)
                given = wanted
            if ended.wait(PERIOD_S):
                return

    @contextlib.contextmanager
    def giving(self, pid):
        """Process @pid is going to take memory."""
        self.fill()
        ended = threading.Event()
        self.give(AHEAD)
        thread = threading.Thread(
            target=self._follow, args=(pid, _resident(pid), ended))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
