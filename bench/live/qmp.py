# SPDX-License-Identifier: GPL-2.0
"""A client of QMP, which QEMU and umig's control socket both speak."""

import json
import socket
import time

from live import BenchError


class Qmp:
    """One connection; events that come between answers are kept."""

    def __init__(self, path, process, seconds=20):
        self.events = []
        self.sock = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + seconds
        while True:
            try:
                self.sock.connect(path)
                break
            except OSError as e:
                if process.poll() is not None or time.monotonic() > end:
                    raise BenchError(f"{path}: {e}: {process.last_words()}")
                time.sleep(0.005)
        self.file = self.sock.makefile("rb")
        try:
            self._line(seconds)
            self.call("qmp_capabilities")
        except (OSError, BenchError) as e:
            raise BenchError(f"{path}: {e}: {process.last_words()}")

    def _line(self, seconds):
        self.sock.settimeout(max(seconds, 0.001))
        line = self.file.readline()
        if not line:
            raise BenchError("the control socket was closed")
        return json.loads(line)

    def call(self, command, seconds=20, **arguments):
        """Execute; raises if the answer is an error."""
        request = {"execute": command}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v
                                    for k, v in arguments.items()}
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._line(seconds)
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise BenchError(f"{command}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def hmp(self, line):
        return self.call("human-monitor-command", command_line=line)

    def wait_status(self, statuses, until):
        """The first MIGRATION event with one of these; TimeoutError."""
        while True:
            while self.events:
                event = self.events.pop(0)
                data = event.get("data", {})
                if event["event"] == "MIGRATION" and \
                        data.get("status") in statuses:
                    return data
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("has not ended in time")
            answer = self._line(left)
            if "event" in answer:
                self.events.append(answer)

    def close(self):
        self.file.close()
        self.sock.close()
