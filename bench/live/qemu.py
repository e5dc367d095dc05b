# SPDX-License-Identifier: GPL-2.0
"""QEMU's two ends: a pc without BIOS and devices, the guest in its RAM."""

import os
import re
import secrets

from live import BenchError, NotMoved
from live.guest import PAGE, Guest
from live.pair import End, Pair
from live.process import Process
from live.qmp import Qmp

PORT = 7000
UNLIMITED = 1 << 40


class QemuPair(Pair):
    """Modes: "capabilities": names; "parameters": both ends'; "tls"."""

    def _tls(self, endpoint):
        """A pre-shared key: what QEMU's TLS costs, without certificates."""
        if not self.mode.get("tls"):
            return []
        path = os.path.join(self.directory, "keys.psk")
        if not os.path.exists(path):
            with open(path, "w") as f:
                f.write(f"qemu:{secrets.token_hex(32)}\n")
        who = ",username=qemu" if endpoint == "client" else ""
        return ["-object", f"tls-creds-psk,id=tls0,endpoint={endpoint},"
                f"dir={self.directory}{who}"]

    def _end(self, name, endpoint, netns, *more):
        control = os.path.join(self.directory, name + ".qmp")
        process = Process(
            [self.mode["qemu"], "-machine", "pc,accel=kvm", "-nodefaults",
             "-no-user-config", "-display", "none",
             "-m", str(self.tools.memory >> 20),
             "-smp", str(self.tools.cpus),
             "-bios", self.tools.firmware, *self._tls(endpoint),
             "-qmp", f"unix:{control},server=on,wait=off", *more],
            os.path.join(self.directory, name + ".log"), netns)
        self.processes.append(process)
        qmp = Qmp(control, process)
        # One mapping, whatever hole the guest sees in it.
        hva = self._hva(qmp, 0)
        last = min(self.tools.memory, 3 << 30) - PAGE
        if self._hva(qmp, last) != hva + last:
            raise BenchError("QEMU's guest memory is not in one piece")
        self._set_up(qmp)
        guest = Guest(process, [(hva, self.tools.memory)])
        return End(process, qmp, guest,
                   [cpu["thread-id"] for cpu in qmp.call("query-cpus-fast")])

    @staticmethod
    def _hva(qmp, gpa):
        answer = qmp.hmp(f"gpa2hva {gpa:#x}")
        found = re.search(r"is (0x[0-9a-f]+)", answer)
        if not found:
            raise BenchError(f"gpa2hva: {answer.strip()}")
        return int(found[1], 16)

    def _set_up(self, qmp):
        names = ["events", *self.mode.get("capabilities", [])]
        qmp.call("migrate-set-capabilities", capabilities=[
            {"capability": name, "state": True} for name in names])
        parameters = {"max-bandwidth": UNLIMITED,
                      "downtime-limit": self.tools.downtime_ms,
                      **self.mode.get("parameters", {})}
        if self.mode.get("tls"):
            parameters["tls-creds"] = "tls0"
        qmp.call("migrate-set-parameters", **parameters)

    def start(self):
        self.source = self._end("source", "client", self.link.source_ns, "-S")
        self.target = self._end("target", "server", self.link.target_ns,
                                "-incoming", "defer")
        self.target.qmp.call("migrate-incoming",
                             uri=f"tcp:{self.link.address}:{PORT}")

    def migrate(self):
        self.source.qmp.call("migrate",
                             uri=f"tcp:{self.link.address}:{PORT}")

    def wait(self, until):
        status = self.source.qmp.wait_status(
            ("completed", "failed", "cancelled"), until)["status"]
        info = self.source.qmp.call("query-migrate")
        if status != "completed":
            raise NotMoved(f"QEMU: {status}: {info.get('error-desc')}: "
                             f"{self.target.process.last_words()}")
        return {"total_ms": info["total-time"],
                "downtime_ms": info["downtime"],
                "report": info.get("ram")}
