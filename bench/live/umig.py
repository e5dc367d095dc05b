# SPDX-License-Identifier: GPL-2.0
"""umig's two ends: guest_host, which is umig run for bare code, and umig
listen."""

import os
import re
import subprocess
import time

from live import BenchError, NotMoved
from live.guest import PAGE, Guest
from live.pair import End, Pair
from live.process import Process
from live.qmp import Qmp

PORT = 7000
VCPU = re.compile(r"^vcpu \d+: ring-full (\d+), held (\d+) ns$", re.M)


class UmigPair(Pair):
    """Modes: "sealed", "verify": true or false; "migrate": more arguments of
    the control command; "held": share of the pages that the destination has
    in an image."""

    def path(self, name):
        return os.path.join(self.directory, name)

    def _end(self, name, argv, netns):
        control = self.path(name + ".control")
        process = Process(
            argv + ["--name", "bench", "--memory", str(self.tools.memory),
                    "--cpus", str(self.tools.cpus),
                    "--serial", "none", "--state-dir", self.path(name),
                    "--control", control, "--dirty",
                    self.mode.get("dirty", self.tools.dirty)],
            self.path(name + ".log"), netns)
        self.processes.append(process)
        qmp = Qmp(control, process)
        slots = qmp.call("query-memory-map")["slots"]
        guest = Guest(process, [(s["hva"], s["pages"] * PAGE) for s in slots])
        return End(process, qmp, guest,
                   [process.thread_named(f"vcpu {nr}")
                    for nr in range(self.tools.cpus)])

    def _keys(self):
        """A key for each end, and peers files that know the other."""
        public = {}
        for name in ("source", "target"):
            subprocess.run([self.tools.umig, "keygen", "--key",
                            self.path(name + ".key")], check=True,
                           capture_output=True)
            done = subprocess.run([self.tools.umig, "pubkey", "--key",
                                   self.path(name + ".key")], check=True,
                                  capture_output=True, text=True)
            public[name] = done.stdout.split()[0]
        for name, other in (("source", "target"), ("target", "source")):
            fd = os.open(self.path(name + ".peers"),
                         os.O_WRONLY | os.O_CREAT, 0o600)
            with open(fd, "w") as f:
                f.write(f"{other} {public[other]}\n")

    def _security(self, name):
        if not self.mode.get("sealed"):
            return {"insecure": True}
        return {"key": self.path(name + ".key"),
                "peers": self.path(name + ".peers")}

    def start(self):
        if self.mode.get("held"):
            self.tools.held.source()    # not in the time that is measured
        if self.mode.get("sealed"):
            self._keys()
        self.source = self._end(
            "source", [self.tools.guest_host, "--code", self.tools.guest],
            self.link.source_ns)
        # what the bench holds, it gives
        options = ["--listen", f"{self.link.address}:{PORT}", "--no-module",
                   "--overcommit"]
        for key, value in self._security("target").items():
            options += ["--" + key] + ([] if value is True else [value])
        if self.mode.get("held"):
            options += ["--pages-from",
                        self.tools.held.target(self.mode["held"])]
        self.target = self._end(
            "target", [self.tools.umig, "listen", *options],
            self.link.target_ns)

    def migrate(self):
        arguments = {
            "uri": f"tcp:{self.link.address}:{PORT}", "module": False,
            "downtime-limit": self.tools.umig_downtime_ms,
            "verify": bool(self.mode.get("verify")),
            **self._security("source"), **self.mode.get("migrate", {})}
        if self.mode.get("sealed"):
            arguments["peer"] = "target"
        if self.mode.get("held"):
            arguments["digests-from"] = self.tools.held.source()
        self.source.qmp.call("migrate", **arguments)

    def vcpus(self, seconds=10):
        """What the source, which has ended, says of each of its vCPUs."""
        end = time.monotonic() + seconds
        while True:
            with open(self.source.process.log, errors="replace") as f:
                found = VCPU.findall(f.read())
            if len(found) == self.tools.cpus:
                return [{"ring_full": int(full), "held_ns": int(held)}
                        for full, held in found]
            if time.monotonic() > end:
                raise BenchError("the source doesn't say what its vCPUs did: "
                                 f"{self.source.process.last_words()}")
            time.sleep(0.005)

    def wait(self, until):
        report = self.source.qmp.wait_status(
            ("completed", "failed", "cancelled", "handover-unknown"), until)
        if report["status"] != "completed":
            raise NotMoved(f"umig: {report['status']}: {report['error']}")
        return {"total_ms": report["total_ms"],
                "downtime_ms": report["downtime_ms"], "report": report}
