# SPDX-License-Identifier: GPL-2.0
"""What is run: parts, each of cells (a link, a load, a size, some modes)."""

from live.guest import Load

MIB = 1 << 20
ALL = ("*",)


class Cell:
    """@link: "loopback", "1g" or "delay"; @modes: names, with *;
    @memory: MiB of a synthetic image, None: the contents of the whole bench;
    @zero: its share of zero pages; @runs: None: as many as asked for;
    @limit_ms: umig's downtime limit if it isn't the bench's;
    @cpus: vCPUs; @compare: all memory is compared after every so many runs."""

    def __init__(self, part, link, load, modes=ALL, memory=None, zero=None,
                 runs=None, limit_ms=None, compare=1, cpus=1):
        self.part = part
        self.link = link
        self.load = load
        self.modes = modes
        self.memory = memory
        self.zero = zero
        self.runs = runs
        self.limit_ms = limit_ms
        self.compare = compare
        self.cpus = cpus

    def name(self):
        """Of the load, and the size where it is the cell's own."""
        size = f", {self.memory} MiB" if self.memory else ""
        return str(self.load) + size


IDLE = Load()
GENTLE = Load(5000, 64 * MIB)
# 45 instructions and 2.3 writes a page: more writes overrun a ring where KVM
# emulates them.
HARD = Load(40000, 256 * MIB, spin=12)
# Those that end with a guest which writes faster than the link carries.
ENDING = ("umig-insecure", "umig-sealed", "umig-auto", "umig-auto-ring",
          "qemu*-multifd-zstd", "qemu*-xbzrle")
# Where nothing is said of pages held, or little: the whole takes long enough.
UNHELD = ("umig-insecure", "umig-sealed", "umig-auto", "qemu*")
FAR = UNHELD[1:] + ("umig-sealed-held100", "umig-auto-held70")
# What umig is held to where its blackout is the claim; QEMU's stays larger.
HARD_MS, BLACKOUT_MS = 100, 50
BLACKOUT_MIB, BLACKOUT_RUNS = 256, 200
SHARES = ("umig-sealed*", "umig-insecure-held83", "qemu-plain")
SIZES = ((1024, 0.55), (2048, 0.55), (4096, 0.7), (8192, 0.9))

PARTS = {
    "loopback": [Cell("loopback", "loopback", IDLE)],
    "1g": [Cell("1g", "1g", IDLE), Cell("1g", "1g", GENTLE, UNHELD)],
    "1g-hard": [Cell("1g-hard", "1g", HARD, ENDING, limit_ms=HARD_MS,
                     cpus=2)],
    # Kamiji, Koto, Kono 2015: 512 MB without zero pages.
    "shares": [Cell("shares", "1g", IDLE, SHARES, 512, 0.0)],
    "delay": [Cell("delay", "delay", IDLE, FAR)],
    "sizes": [Cell("sizes", "loopback", IDLE, ("umig-sealed",), size, zero)
              for size, zero in SIZES],
    "blackout": [Cell("blackout", "1g", load, ("umig-auto",), BLACKOUT_MIB,
                      0.55, BLACKOUT_RUNS, BLACKOUT_MS, compare=2)
                 for load in (IDLE, GENTLE)],
    "module": [],       # no migration: live/module.py
}
DEFAULT = list(PARTS)


def cells(parts, loads):
    """Of these parts, each with @loads in place of its own if there are any."""
    if not loads:
        return [cell for part in parts for cell in PARTS[part]]
    return [Cell(part, first.link, load, first.modes, first.memory, first.zero,
                 first.runs, first.limit_ms, first.compare,
                 first.cpus)
            for part in parts for first in PARTS[part][:1] for load in loads]
