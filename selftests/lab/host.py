# SPDX-License-Identifier: GPL-2.0
"""One lab host: a QEMU process, its console, its agent.

The lab's ends of the host's console, agent, QMP and network are socket pairs
that QEMU inherits, so nothing has to be found by name, and the end of QEMU is
seen at once.  QEMU dies with the lab.
"""

import ctypes
import functools
import json
import os
import queue
import re
import signal
import socket
import subprocess
import threading

from . import emulator, image
from .remote import Agent
from .say import LabError, say

# What a healthy kernel never says.
TROUBLE = re.compile(
    r"WARNING: |BUG: |Oops|kernel BUG at|Kernel panic|general protection fault"
    r"|INFO: (task|rcu|possible|inconsistent)|rcu: INFO|possible recursive"
    r"|suspicious RCU|UBSAN|KASAN|unable to handle|Bad page state"
    r"|refcount_t:|Call Trace")

# no_timer_check: a busy machine gives an emulated timer no chance to tick in the
# time that the kernel waits for it.  And a machine that stands still for half a
# minute is no lockup: see /init in image.py.
CMDLINE = ("console=ttyS0 quiet loglevel=5 panic=-1 oops=panic mitigations=off "
           "tsc=reliable no_timer_check printk.time=1 net.ifnames=0 "
           "watchdog_thresh=60 workqueue.watchdog_thresh=300 "
           "rcupdate.rcu_cpu_stall_timeout=300")

@functools.cache
def tsc_khz():
    """The rate of the hosts' TSC, which is this machine's.  Told to them: their
    kernels would take it from a timer, which a busy machine emulates late, and
    be wrong by a factor once in a while."""
    return int(subprocess.run([image.program("tsckhz")], check=True, text=True,
                              stdout=subprocess.PIPE).stdout)


_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_lab():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Disk:
    """A raw image that hosts see as /dev/vda, /dev/vdb, ... in order."""

    def __init__(self, path, readonly=False):
        self.path = path
        self.readonly = readonly


class Host:
    """A host that boots @kernel.  @address: "10.0.0.1/24" or None;
    @link: network socket; @more: further arguments of QEMU's.

    Start it from the main thread: QEMU ends with the thread that made it.
    """

    def __init__(self, name, directory, initrd, kernel, *, memory="2G", cpus=2,
                 cpu="max", disks=(), address=None, link=None, mac=None,
                 cmdline="", trouble_is_fatal=True, more=()):
        self.name = name
        self.console_path = os.path.join(directory, f"{name}.console")
        self.address = (address or "").split("/")[0]
        self.trouble = None
        self.console = []
        self._trouble_is_fatal = trouble_is_fatal
        self._qmp_answers = queue.Queue()
        self._qmp_lock = threading.Lock()
        self._end_reason = None
        self._ending = False
        self._dead = False

        ends = {n: socket.socketpair() for n in ("agent", "console", "qmp")}
        theirs = {n: s[1] for n, s in ends.items()}
        if link is not None:
            theirs["link"] = link
        words = [CMDLINE, f"tsc_early_khz={tsc_khz()}", f"lab.name={name}"]
        if address:
            words.append(f"lab.address={address}")
        argv = self._argv(kernel, initrd, memory, cpus, cpu, disks, mac,
                          {n: s.fileno() for n, s in theirs.items()},
                          " ".join(words + [cmdline]).strip())
        argv += more
        say(f"{name}: starting QEMU: {' '.join(argv)}", level=2)
        self.process = subprocess.Popen(
            argv, env=emulator.find().env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[s.fileno() for s in theirs.values()],
            preexec_fn=_die_with_lab)
        for s in theirs.values():
            s.close()
        self._qmp = ends["qmp"][0]
        self._qmp.sendall(b'{"execute": "qmp_capabilities"}\n')
        self.agent = Agent(name, ends["agent"][0], self.why_dead)
        for target, args in ((self._read_console, (ends["console"][0],)),
                             (self._read_output, ()), (self._read_qmp, ())):
            threading.Thread(target=target, args=args, daemon=True).start()

    @staticmethod
    def _argv(kernel, initrd, memory, cpus, cpu, disks, mac, fds, cmdline):
        qemu = emulator.find()
        argv = qemu.argv + [
            "-name", "umig-lab", "-nodefaults", "-no-user-config", "-nographic",
            "-action", "reboot=shutdown,shutdown=pause", "-machine", "q35,graphics=off", "-cpu", cpu,
            "-accel", f"tcg,thread={qemu.thread_model()}",
            # Without ACPI a kernel finds one CPU of each socket only.
            "-smp", f"{cpus},sockets={cpus}" if kernel.lacks else str(cpus),
            "-m", memory,
            "-kernel", kernel.image, "-initrd", initrd,
            "-append", cmdline,
            "-chardev", f"socket,id=con,fd={fds['console']}",
            "-serial", "chardev:con",
            "-chardev", f"socket,id=qmp,fd={fds['qmp']}",
            "-mon", "chardev=qmp,mode=control",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,fd={fds['agent']}",
            "-device", "virtserialport,chardev=agent,name=umig.lab",
        ]
        if "link" in fds:
            argv += ["-netdev", "stream,id=net,server=off,addr.type=fd,"
                     f"addr.str={fds['link']}",
                     "-device", f"virtio-net-pci,netdev=net,mac={mac},"
                     "romfile="]
        for i, disk in enumerate(disks):
            mode = "on" if disk.readonly else "off"
            argv += ["-blockdev", f"file,node-name=f{i},filename={disk.path},"
                     f"locking=off,read-only={mode},cache.direct=off",
                     "-blockdev", f"raw,node-name=d{i},file=f{i},"
                     f"read-only={mode}",
                     "-device", f"virtio-blk-pci,drive=d{i},share-rw=on"]
        return argv

    def _read_console(self, sock):
        rest = b""
        with open(self.console_path, "ab", buffering=0) as log:
            while True:
                try:
                    data = sock.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    break
                log.write(data)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._console_line(line.decode(errors="replace").rstrip())
        self._dead = True
        self.agent.wake()

    def _console_line(self, line):
        self.console.append(line)
        if self.trouble is None and TROUBLE.search(line):
            self.trouble = line
            say(f"{self.name}: kernel trouble: {line}")
            self.agent.wake()

    def _read_output(self):
        for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip()
            self.console.append(f"qemu: {text}")
            say(f"{self.name}: qemu: {text}", level=2)

    def tail(self, count=40):
        """The end of the console, for an error message."""
        return "\n".join(f"    {self.name}| {line}"
                         for line in self.console[-count:])

    def why_dead(self):
        """None while all is well, else what happened."""
        if self.trouble is not None and self._trouble_is_fatal:
            # Let the rest of the report arrive before it is shown.
            threading.Event().wait(0.5)
            return f"kernel trouble: {self.trouble}\n{self.tail()}"
        if self._dead and not self._ending:
            return (f"the host died ({self._how_ended()}); its console ended "
                    f"with:\n{self.tail()}")
        return None

    def _how_ended(self):
        if self._end_reason:
            return f"by itself: {self._end_reason}"
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return "QEMU has closed its console but runs"
        if status < 0:
            return f"QEMU was ended by {signal.Signals(-status).name}"
        return f"QEMU ended with status {status}"

    def check(self):
        """Fail if the host has died or its kernel has complained."""
        why = self.why_dead()
        if why:
            raise LabError(f"{self.name}: {why}")

    def wait_up(self, timeout=180):
        """Wait until commands can be run."""
        self.agent.wait_ready(timeout)
        say(f"{self.name}: up")
        return self

    def _read_qmp(self):
        with self._qmp.makefile("rb") as lines:
            lines.readline()    # the greeting
            lines.readline()    # the answer to qmp_capabilities
            try:
                for line in lines:
                    self._qmp_message(json.loads(line))
            except ConnectionResetError:
                pass            # it was killed
        self._qmp_answers.put(None)

    def _qmp_message(self, message):
        if "event" not in message:
            self._qmp_answers.put(message)
        elif message["event"] == "SHUTDOWN":
            # QEMU has paused.  A thread that answers isn't to wait for
            # answers.
            reason = message["data"].get("reason", "no reason given")
            threading.Thread(target=self._ended, args=(reason,),
                             daemon=True).start()

    def _ended(self, reason):
        """The host has powered off, or has reset itself: a triple fault."""
        if reason != "guest-shutdown" and not self._ending:
            try:
                text = self.qmp("human-monitor-command",
                                **{"command-line": "info registers -a"})
                self.console += ["qemu: " + s for s in text.splitlines()]
            except LabError:
                pass
        self._end_reason = reason
        self._dead = True
        self.agent.wake()

    def qmp(self, execute, **arguments):
        """A QMP command; returns its answer."""
        request = {"execute": execute, "arguments": arguments}
        with self._qmp_lock:
            try:
                self._qmp.sendall(json.dumps(request).encode() + b"\n")
                answer = self._qmp_answers.get(timeout=30)
            except (OSError, queue.Empty):
                answer = None
        if answer is None:
            raise LabError(f"{self.name}: {self.why_dead() or 'no QMP'}")
        if "error" in answer:
            raise LabError(f"{self.name}: {execute}: "
                           f"{answer['error']['desc']}")
        return answer["return"]

    def start(self, argv, **kw):
        """Start a command in the host (Agent.start)."""
        return self.agent.start(argv, **kw)

    def run(self, argv, timeout=60, data=None):
        """Run a command to its end; returns the ended Command."""
        command = self.start(argv, keep_input=data is not None)
        if data is not None:
            command.send(data)
            command.end_input()
        command.wait(timeout)
        return command

    def sh(self, line, timeout=60):
        """Run a shell line that must succeed; returns its output."""
        return self.run(line, timeout).check()

    def put(self, path, data):
        """Write a file in the host."""
        self.run(["dd", f"of={path}", "bs=64k", "status=none"],
                 data=data).check()

    def get(self, path, timeout=60):
        """Read a file of the host."""
        command = self.run(["cat", path], timeout)
        command.check()
        return command.out_bytes

    def kill(self):
        """As if the host lost its power."""
        self._ending = True
        self.process.kill()
        self.process.wait()

    def close(self):
        """End the host.  Nothing in it is worth an orderly shutdown."""
        self.kill()
