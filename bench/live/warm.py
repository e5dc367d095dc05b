# SPDX-License-Identifier: GPL-2.0
"""Memory that is there.

In a virtual machine the first touch of a page that its own host has yet to back
costs twenty times what it costs later, and whoever happens to touch more fresh
pages would lose the comparison.  So the bench touches memory first.
"""

import mmap
import re

CHUNK = 256 << 20


def available_bytes():
    with open("/proc/meminfo") as f:
        return int(re.search(r"MemAvailable:\s+(\d+)", f.read())[1]) << 10


def warm(count):
    """Touch @count bytes all at a time, and give them back."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    held = [mmap.mmap(-1, CHUNK, flags=flags) for _ in range(count // CHUNK)]
    for chunk in held:
        chunk.close()
