# SPDX-License-Identifier: GPL-2.0
"""The bare guest as seen from outside: its parameters, clock, log and pages.

guest.S has the other half of this layout.
"""

import os
import re
import struct
import time

from live import BenchError

PAGE = 4096
PARAMS = 0x8000
LOG = 0x9000
OTHER_BEATS = 0xc000
LOG_ENTRIES = 256
CODE = 0x10000
PRIVATE_END = CODE + PAGE       # all that isn't contents lies below
STAMPS = (0, 2048)              # where a page of the working set is written
BURST = 16
BEAT_HZ = 2000
GAP_MS = 2
PIT_HZ = 1193182


def tsc_hz():
    """Of this host: what it is specified to have where cpufreq changes the
    clock, else the clock."""
    with open("/proc/cpuinfo") as f:
        text = f.read()
    base = re.search(r"model name.*@ ([0-9.]+)GHz", text)
    now = re.search(r"cpu MHz\s*: ([0-9.]+)", text)
    if os.path.exists("/sys/devices/system/cpu/cpu0/cpufreq") and base:
        return float(base[1]) * 1e9
    if not now:
        raise BenchError("/proc/cpuinfo doesn't say how fast the clock is")
    return float(now[1]) * 1e6


class Load:
    """What the guest does: write @rate pages a second of @working_set bytes,
    each in 21 instructions and two more for each turn of @spin."""

    def __init__(self, rate=0, working_set=0, spin=0):
        self.rate = rate
        self.spin = spin
        self.pages = working_set // PAGE
        self.first = 64 << 20

    def __str__(self):
        if not self.rate:
            return "idle"
        return f"{self.rate / 1000:g}k pages/s over {self.pages * PAGE >> 20} MB"

    def covers(self):
        """The bytes of RAM that it writes."""
        return self.first, self.first + self.pages * PAGE * bool(self.rate)

    def pace(self, hz):
        """Cycles between two bursts (0: it writes nothing), turns a page."""
        return int(hz * BURST / self.rate) if self.rate else 0, self.spin

    def params(self, hz, cpus=1):
        head = struct.pack("<8I", 0, self.pages, self.first, *self.pace(hz),
                           int(hz / 100), int(hz * GAP_MS / 1000), BURST)
        tail = struct.pack("<I8xI", PIT_HZ // BEAT_HZ, cpus)
        return head.ljust(76, b"\0") + tail.ljust(PAGE - 76, b"\0")


# As fast as it can: for passes that nobody measures.
HASTE = Load(1000000)


class Guest:
    """The guest in one process; @pieces: (address there, bytes) of its RAM in
    dense order.  No access crosses the border of two."""

    def __init__(self, process, pieces):
        self.process = process
        self.pieces = pieces

    def _hva(self, at):
        for hva, count in self.pieces:
            if at < count:
                return hva + at
            at -= count
        raise BenchError("the image is larger than the guest")

    def read(self, at, count):
        return self.process.read(self._hva(at), count)

    def write(self, at, data):
        self.process.write(self._hva(at), data)

    def counters(self):
        raw = self.read(PARAMS, 88)
        beats, last, passes, cursor, errors, bad = struct.unpack_from(
            "<QQ4I", raw, 32)
        gaps, = struct.unpack_from("<I", raw, 72)
        written, = struct.unpack_from("<Q", raw, 80)
        other, = struct.unpack("<I", self.read(OTHER_BEATS, 4))
        return {"beats": beats, "last": last, "passes": passes,
                "cursor": cursor, "errors": errors, "bad": bad,
                "gaps": gaps, "written": written, "other_beats": other}

    def gaps(self):
        """The last gaps, oldest first: (TSC before, TSC after)."""
        nr = self.counters()["gaps"]
        raw = self.read(LOG, LOG_ENTRIES * 16)
        first = max(0, nr - LOG_ENTRIES)
        return [struct.unpack_from("<QQ", raw, i % LOG_ENTRIES * 16)
                for i in range(first, nr)]

    def wait(self, what, until, seconds):
        """Until counter @what is at least @until."""
        end = time.monotonic() + seconds
        while self.counters()[what] < until:
            if time.monotonic() > end:
                raise BenchError(f"the guest stands still: {what} not "
                                 f"{until} after {seconds} s, "
                                 f"{self.counters()}: "
                                 f"{self.process.last_words()}")
            time.sleep(0.002)

    def set_pace(self, load, hz):
        """While it runs: write as fast as @load does, over the same pages."""
        self.write(PARAMS + 12, struct.pack("<2I", *load.pace(hz)))

    def calm(self):
        """Have it write no more, so that no page is half written."""
        self.write(PARAMS + 12, bytes(4))
        self.wait("beats", self.counters()["beats"] + 3, 10)

    def clock_offset_s(self, hz, samples=400):
        """Host's clock less guest's, in seconds: the least that was seen.

        The guest stores its TSC at each beat; the smallest difference is that
        of a sample which was taken just after a beat.
        """
        best = None
        for _ in range(samples):
            before = self.read(PARAMS + 40, 8)
            now = time.monotonic()
            if before[4:] != self.read(PARAMS + 44, 4):
                continue        # torn: two stores of 32 bits
            delta = now - int.from_bytes(before, "little") / hz
            best = delta if best is None else min(best, delta)
            time.sleep(0.0001)
        return best
