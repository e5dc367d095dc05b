# SPDX-License-Identifier: GPL-2.0
"""Commands that run inside a lab host, through its agent (agent.c).

One thread reads the agent's socket and hands output to the commands it belongs
to; whoever waits sleeps on a condition and is woken by the output, by the
command's end or by the host's death.  Each line of output carries the time at
which it arrived.
"""

import collections
import os
import shlex
import signal as signals
import struct
import threading
import time

from .say import LabError

PROTOCOL = 1
RUN, STDIN, SIGNAL = 1, 2, 3
HELLO, STDOUT, STDERR, EXIT, STDIN_TAKEN, STARTED = 16, 17, 18, 19, 20, 21
HEADER = struct.Struct("<III")
CHUNK = 64 << 10
# Input that the agent holds for a command that doesn't read it.
STDIN_WINDOW = 256 << 10

Line = collections.namedtuple("Line", "time stream text")


class CommandFailed(LabError):
    """A command ended with another status than 0."""


class Command:
    """A command that runs, or has run, in a host.

    @lines: its output so far, whole lines in order of arrival.
    @status: None while it runs; exit status, or -signal.
    """

    def __init__(self, agent, number, argv, raw=None):
        self.agent = agent
        self.number = number
        self.argv = argv
        self.raw = raw
        self.lines = []
        self.status = None
        self._pid = None
        self._data = {STDOUT: bytearray(), STDERR: bytearray()}
        self._part = {STDOUT: b"", STDERR: b""}
        self._unread = 0

    def __str__(self):
        return f"{self.agent.name}: {shlex.join(self.argv)}"

    # The reader's thread, with the agent's condition held.
    def _output(self, stream, data):
        if self.raw is not None:
            self.raw(stream, data)
            return
        now = time.monotonic()
        self._data[stream] += data
        parts = (self._part[stream] + data).split(b"\n")
        self._part[stream] = parts.pop()
        for p in parts:
            self.lines.append(Line(now, stream, p.decode(errors="replace")
                                   .rstrip("\r")))

    def _end(self, wait_status):
        now = time.monotonic()
        for stream, part in self._part.items():
            if part:
                self.lines.append(Line(now, stream,
                                       part.decode(errors="replace")))
        self.status = os.waitstatus_to_exitcode(wait_status)

    @property
    def out(self):
        """Its standard output so far."""
        return bytes(self._data[STDOUT]).decode(errors="replace")

    @property
    def out_bytes(self):
        """Its standard output so far."""
        return bytes(self._data[STDOUT])

    @property
    def err(self):
        """Its standard error so far."""
        return bytes(self._data[STDERR]).decode(errors="replace")

    def pid(self, timeout=30):
        """Its process number in the host."""
        with self.agent.changed:
            self.agent.wait_for(lambda: self._pid is not None or
                                self.status is not None, timeout,
                                f"{self} starts")
        if self._pid is None:
            raise CommandFailed(f"{self}: not started\n{self.tail()}")
        return self._pid

    def running(self):
        """Whether it hasn't ended."""
        return self.status is None

    def send(self, data):
        """Give it input; blocks while it doesn't read what it has."""
        if isinstance(data, str):
            data = data.encode()
        for at in range(0, len(data), CHUNK):
            chunk = data[at:at + CHUNK]
            with self.agent.changed:
                self.agent.wait_for(lambda: self.status is not None or
                                    self._unread < STDIN_WINDOW, 60,
                                    f"{self} reads its input")
                self._unread += len(chunk)
            self.agent.send(STDIN, self.number, chunk)

    def end_input(self):
        """It has all its input."""
        self.agent.send(STDIN, self.number, b"")

    def signal(self, number=signals.SIGTERM):
        """Send a signal to it and its children."""
        self.agent.send(SIGNAL, self.number, struct.pack("<I", number))

    def kill(self):
        """Kill it and its children, and wait until it is gone."""
        self.signal(signals.SIGKILL)
        self.wait(30)

    def wait(self, timeout=60):
        """Its exit status."""
        with self.agent.changed:
            self.agent.wait_for(lambda: self.status is not None, timeout,
                                f"{self} ends")
        return self.status

    def wait_line(self, match, timeout=60, start=0):
        """The index of its first line from @start that @match(line) takes.

        Fails at once if the command ends without such a line.
        """
        at = start

        def look():
            nonlocal at
            while at < len(self.lines):
                if match(self.lines[at]):
                    return True
                at += 1
            return self.status is not None

        with self.agent.changed:
            self.agent.wait_for(look, timeout, f"{self} says it")
            if at == len(self.lines):
                raise CommandFailed(f"{self}: ended ({self.status}) without "
                                    f"the awaited line\n{self.tail()}")
        return at

    def tail(self, count=15):
        """Its last lines, for an error message."""
        return "\n".join("    " + line.text for line in self.lines[-count:])

    def check(self):
        """Fail unless it ended with status 0; returns its output."""
        if self.status != 0:
            raise CommandFailed(f"{self}: exit status {self.status}\n"
                                f"{self.tail()}")
        return self.out


class Agent:
    """The lab's end of a host's agent.

    @died: called to learn why nothing works any more: text, or None.
    """

    def __init__(self, name, sock, died):
        self.name = name
        self.sock = sock
        self.died = died
        self.changed = threading.Condition()
        self.ready = False
        self.gone = False
        self._commands = {}
        self._next = 1
        self._send_lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        data = b""
        while True:
            try:
                chunk = self.sock.recv(1 << 20)
            except OSError:
                chunk = b""
            with self.changed:
                if not chunk:
                    self.gone = True
                    self.changed.notify_all()
                    return
                data = self._frames(data + chunk)
                self.changed.notify_all()

    def _frames(self, data):
        at = 0
        while len(data) - at >= HEADER.size:
            kind, number, length = HEADER.unpack_from(data, at)
            if len(data) - at < HEADER.size + length:
                break
            at += HEADER.size
            self._frame(kind, number, data[at:at + length])
            at += length
        return data[at:]

    def _frame(self, kind, number, data):
        if kind == HELLO:
            if struct.unpack("<I", data)[0] != PROTOCOL:
                raise LabError(f"{self.name}: its agent is of another lab")
            self.ready = True
            return
        command = self._commands.get(number)
        if command is None:
            return
        if kind in (STDOUT, STDERR):
            command._output(kind, data)
        elif kind == EXIT:
            command._end(struct.unpack("<I", data)[0])
            del self._commands[number]
        elif kind == STARTED:
            command._pid = struct.unpack("<I", data)[0]
        elif kind == STDIN_TAKEN:
            command._unread -= struct.unpack("<I", data)[0]

    def wake(self):
        """Let all who wait look again (the host died)."""
        with self.changed:
            self.changed.notify_all()

    def wait_for(self, condition, timeout, what):
        """Wait, with self.changed held, or say why it can't come true."""
        end = time.monotonic() + timeout
        while not condition():
            why = self.died()
            if why:
                raise LabError(f"{self.name}: waiting until {what}: {why}")
            if self.gone:
                # The host is ending; its death is about to be noticed.
                self.changed.wait(0.2)
                if condition() or self.died():
                    continue
                raise LabError(f"{self.name}: the agent is gone, waiting "
                               f"until {what}")
            left = end - time.monotonic()
            if left <= 0:
                raise LabError(f"{self.name}: not in {timeout} s: {what}")
            self.changed.wait(left)

    def wait_ready(self, timeout):
        """Wait until commands can be run."""
        with self.changed:
            self.wait_for(lambda: self.ready, timeout, "the host is up")

    def send(self, kind, number, data):
        """One frame to the agent."""
        with self._send_lock:
            try:
                self.sock.sendall(HEADER.pack(kind, number, len(data)) + data)
            except OSError as e:
                raise LabError(f"{self.name}: {self.died() or e}") from e

    def start(self, argv, raw=None, keep_input=False):
        """Run @argv (a list, or a line for the shell); returns a Command.

        @raw: called with (stream, bytes) instead of keeping the output.
        @keep_input: don't end the command's input yet.
        """
        if isinstance(argv, str):
            argv = ["sh", "-c", argv]
        with self.changed:
            number, self._next = self._next, self._next + 1
            command = Command(self, number, [str(a) for a in argv], raw)
            self._commands[number] = command
        self.send(RUN, number,
                  b"".join(a.encode() + b"\0" for a in command.argv))
        if not keep_input:
            command.end_input()
        return command
