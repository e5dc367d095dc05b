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
import errno
import mmap
import os
import re
import threading

from live import BenchError

MAP_NORESERVE = 0x4000
MADV_POPULATE_WRITE = 23
HUGE = 2 << 20
FREE_PART = 64          # of all memory stays free: others take some meanwhile
AHEAD = 96 << 20        # of what a process has, so much is free for it
STEP = 8 << 20
PIECE = 64 << 20        # is taken at a time
PERIOD_S = 0.004
PAGE = os.sysconf("SC_PAGE_SIZE")


def _resident(pids):
    """Bytes of all of them, 0 of a process that has ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            with open(f"/proc/{pid}/statm") as f:
                total += int(f.read().split()[1]) * PAGE
    return total


def meminfo(name):
    """Bytes, of a line of /proc/meminfo."""
    with open("/proc/meminfo") as f:
        return int(re.search(rf"{name}:\s+(\d+)", f.read())[1]) << 10


def _whole(size):
    """In huge pages, rounded down."""
    return size // HUGE * HUGE


def _cgroup_room():
    """Bytes that this process's cgroups (v2) let it take; None: any number."""
    found = None
    with contextlib.suppress(OSError):      # a kernel without cgroups
        with open("/proc/self/cgroup") as f:
            found = re.search(r"^0::/(.*)$", f.read(), re.M)
    path, room = "/sys/fs/cgroup/" + (found[1] if found else ""), None
    while len(path) > len("/sys/fs/cgroup"):
        with contextlib.suppress(OSError, ValueError):
            with open(path + "/memory.max") as most, \
                    open(path + "/memory.current") as now:
                left = int(most.read()) - int(now.read())
                room = left if room is None else min(room, left)
        path = os.path.dirname(path)
    return room


class Reserve:
    """All of the machine's free memory but @free bytes, once it is filled.

    The first @held bytes of a mapping, which grows and shrinks at its end; never
    more than @most, which is what it was first.  Otherwise whatever the kernel
    takes from the page cache to have something free would be taken, too, until
    no image is in there any more."""

    def __init__(self, free=None):
        total = _whole(meminfo("MemTotal"))
        self.free = total // FREE_PART if free is None else free
        self.held = 0
        self.most = None
        try:
            self.map = mmap.mmap(-1, total, flags=mmap.MAP_PRIVATE |
                                 mmap.MAP_ANONYMOUS | MAP_NORESERVE)
        except OSError as e:
            raise BenchError(f"no {total >> 20} MiB of addresses to hold "
                             f"memory with: {e}: vm.overcommit_memory is 2?")
        self.map.madvise(mmap.MADV_HUGEPAGE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.map.close()

    def give(self, size):
        """Set @size bytes free, or what there is; how many."""
        size = max(0, min(_whole(size + HUGE - 1), self.held))
        if size:
            self.held -= size
            self.map.madvise(mmap.MADV_DONTNEED, self.held, size)
        return size

    def _most(self):
        """Bytes that may be held."""
        wanted = self.held + meminfo("MemFree") - self.free
        room = _cgroup_room()
        if room is not None:
            wanted = min(wanted, self.held + room - self.free)
        return max(0, min(_whole(wanted), len(self.map)))

    def fill(self):
        """Hold what is free by now, or give back what is missing."""
        wanted = self._most()
        self.most = wanted if self.most is None else self.most
        wanted = min(wanted, self.most)
        self.give(self.held - wanted)
        self._take(wanted - self.held)

    def _take(self, size):
        """Less if there isn't so much after all."""
        for at in range(0, size, PIECE):
            piece = min(PIECE, size - at)
            try:
                self.map.madvise(MADV_POPULATE_WRITE, self.held, piece)
            except OSError as e:
                if e.errno != errno.ENOMEM:
                    raise BenchError(f"memory can't be populated: {e}: needs "
                                     "Linux 5.14")
                self.map.madvise(mmap.MADV_DONTNEED, self.held, piece)
                return
            self.held += piece

    def _follow(self, pids, before, ended):
        given = AHEAD
        while not ended.wait(PERIOD_S):
            wanted = _resident(pids) - before + AHEAD
            if wanted - given >= STEP:
                given += self.give(wanted - given)

    @contextlib.contextmanager
    def giving(self, *pids):
        """These processes are going to take memory."""
        self.fill()
        ended = threading.Event()
        self.give(AHEAD)
        thread = threading.Thread(target=self._follow, daemon=True,
                                  args=(pids, _resident(pids), ended))
        try:
            thread.start()
            yield
        finally:
            ended.set()
            if thread.ident:
                thread.join()
