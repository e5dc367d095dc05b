# SPDX-License-Identifier: GPL-2.0
"""Memory that is there.

In a virtual machine the first touch of a page that its own host has yet to back
costs twenty times what it costs later, and a kernel may give free memory back to
that host after seconds.  Whoever happens to use more fresh pages would lose the
comparison.  So the bench holds memory, and lets go of it just before the
destination needs some.
"""

import mmap

MADV_POPULATE_WRITE = 23
MARGIN = 512 << 20      # what migrators take beside, at most


class Warm:
    """Room for a guest that is about to arrive."""

    def __init__(self, size):
        self.held = mmap.mmap(-1, size + min(size // 2, MARGIN),
                              flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.held.madvise(mmap.MADV_HUGEPAGE)
        self.held.madvise(MADV_POPULATE_WRITE)

    def release(self):
        self.held.close()
