# SPDX-License-Identifier: GPL-2.0
"""A process that owns a VM: its memory from outside, its CPU time, its RSS."""

import os
import re
import signal
import subprocess
import time

from live import BenchError


def _joined(pieces):
    """[start, end) of neighbours as one, as the kernel joins mappings."""
    out = []
    for start, size in sorted(pieces):
        if out and out[-1][1] == start:
            out[-1][1] = start + size
        else:
            out.append([start, start + size])
    return out


class Process:
    """A child whose stderr goes to a file, in a network namespace or none."""

    def __init__(self, argv, log, netns=None):
        if netns:
            argv = ["nsenter", "--net=/run/netns/" + netns, "--"] + argv
        self.log = log
        with open(log, "wb") as out:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True)
        self.pid = self.child.pid
        self.mem = -1

    def poll(self):
        return self.child.poll()

    def last_words(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-600:].strip() or "it said nothing"

    def end(self):
        """SIGTERM, and SIGKILL for who doesn't listen."""
        if self.mem >= 0:
            os.close(self.mem)
            self.mem = -1
        if self.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(0.3)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def read(self, address, count):
        if self.mem < 0:
            self.mem = os.open(f"/proc/{self.pid}/mem", os.O_RDWR)
        return os.pread(self.mem, count, address)

    def write(self, address, data):
        if self.mem < 0:
            self.mem = os.open(f"/proc/{self.pid}/mem", os.O_RDWR)
        while data:
            done = os.pwrite(self.mem, data, address)
            address += done
            data = data[done:]

    def cpu_s(self):
        """All its threads, those that have ended too: CPUCLOCK_SCHED."""
        return time.clock_gettime(~self.pid << 3 | 2)

    def thread_cpu_s(self, tid):
        """CPU seconds of a thread that lives."""
        with open(f"/proc/{self.pid}/task/{tid}/schedstat") as f:
            return int(f.read().split()[0]) / 1e9

    def thread_named(self, name, seconds=5):
        """Its tid; a thread that is new may have yet to say its name."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for tid in os.listdir(f"/proc/{self.pid}/task"):
                with open(f"/proc/{self.pid}/task/{tid}/comm") as f:
                    if f.read().strip() == name:
                        return int(tid)
            time.sleep(0.01)
        raise BenchError(f"process {self.pid} has no thread \"{name}\"")

    def beside_bytes(self, pieces):
        """Peak RSS, less what is resident of @pieces (start, size) now."""
        areas = _joined(pieces)
        with open(f"/proc/{self.pid}/status") as f:
            peak = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))
        inside = 0
        counted = False
        with open(f"/proc/{self.pid}/smaps") as f:
            for line in f:
                m = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
                if m:
                    low, high = int(m[1], 16), int(m[2], 16)
                    counted = any(low >= start and high <= end
                                  for start, end in areas)
                elif counted and line.startswith("Rss:"):
                    inside += int(line.split()[1])
        return (peak - inside) << 10
