# SPDX-License-Identifier: GPL-2.0
"""Memory that is there.

In a virtual machine the first touch of a page that its own host has yet to back
costs twenty times what it costs later, and a kernel may give free memory back to
that host at once.  Whoever happens to use more fresh pages would lose the
comparison, and a large guest to a small one.  So the bench holds memory, and while
the destination takes some, keeps as much of it free as is soon taken: what has
been free for long isn't there any more.
"""

import mmap
import os
import threading

MADV_POPULATE_WRITE = 23
MARGIN = 512 << 20      # what migrators take beside, at most
AHEAD = 256 << 20       # of what the destination has, so much is free
STEP = 16 << 20
PERIOD_S = 0.005
PAGE = os.sysconf("SC_PAGE_SIZE")


def _resident(pid):
    """Bytes, 0 of a process that has ended."""
    try:
        with open(f"/proc/{pid}/statm") as f:
            return int(f.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


class Warm:
    """Room for a guest that is about to arrive."""

    def __init__(self, size):
        size += min(size // 2, MARGIN)
        self.held = mmap.mmap(-1, size,
                              flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.held.madvise(mmap.MADV_HUGEPAGE)
        self.held.madvise(MADV_POPULATE_WRITE)
        self.given = 0
        self.ended = threading.Event()
        self.thread = None

    def _give(self, wanted):
        end = min(-(-wanted // STEP) * STEP, len(self.held))
        if end > self.given:
            self.held.madvise(mmap.MADV_DONTNEED, self.given,
                              end - self.given)
            self.given = end

    def _follow(self, pid, before):
        while not self.ended.wait(PERIOD_S):
            self._give(_resident(pid) - before + AHEAD)

    def release(self, pid):
        """To the process @pid, as it takes it, until end()."""
        before = _resident(pid)
        self._give(AHEAD)
        self.thread = threading.Thread(target=self._follow, args=(pid, before),
                                       daemon=True)
        self.thread.start()

    def end(self):
        self.ended.set()
        if self.thread:
            self.thread.join()
        self.held.close()
