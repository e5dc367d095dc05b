# SPDX-License-Identifier: GPL-2.0
"""The vocabulary of migration scenarios: guests, and what is done to them.

    with Cluster(2, files=files(), ko=KO, load=True, disks=[d]) as lab:
        a, b = lab.hosts
        set_key(a, b)
        introduce(a, b)
        g = Guest("g1", "/dev/vda").start(a)
        g.serial.wait_line("READY", 180)
        report = g.migrate(b)
        g.serial.wait_beats(20)
"""

import json
import os
import time

from . import guest, image, kernels, ksm, packages
from .remote import STDOUT, CommandFailed
from .say import LabError, say
from .workload import Serial

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(REPO, os.environ.get("BUILD") or "build")
UMIG = os.path.join(BUILD, "bin", "umig")
# The modules of the hosts' kernel (labctl module).
MODULES = (os.path.join(BUILD, f"kernel-{kernels.wanted()}")
           if kernels.wanted() else BUILD)
KO = os.path.join(MODULES, "umig.ko")
# The module that can be broken on purpose, and what its debug_break says: a
# function to be hooked isn't there.
KO_DEBUG = os.path.join(MODULES, "umig-debug.ko")
BREAK_SYMBOL = 16
PORT = 7000
# What an emulated host can do in the time that real ones take for 50 ms.
DOWNTIME = ("--downtime-limit", "300")

# A machine that stands still for half a minute is no lockup, as for the hosts.
CMDLINE = ("console=ttyS0 quiet loglevel=4 panic=-1 reboot=t mitigations=off "
           "net.ifnames=0 rcupdate.rcu_cpu_stall_timeout=300")


def files():
    """What hosts need for the words of this file."""
    return [(UMIG, "/bin/umig"), (guest.initrd(), "/guest/initrd"),
            (packages.kernel().image, "/guest/vmlinuz"), ksm.walker(),
            (image.program("unixcat"), "/bin/unixcat"),
            (image.program("mergeable"), "/bin/mergeable")]


def set_key(*hosts, key=bytes(range(1, 33))):
    """Give the hosts' modules a key."""
    for host in hosts:
        host.put("/run/umig.key", key)
        host.sh("umig index set-key /run/umig.key")


def introduce(*hosts):
    """Give the hosts keys, and tell each of all."""
    keys = {h: h.sh("mkdir -p /etc/umig; umig keygen > /dev/null; "
                    "umig pubkey").strip() for h in hosts}
    for host in hosts:
        host.put("/etc/umig/peers", "".join(
            f"{h.name} {key} address={h.address} from={h.address}/32\n"
            for h, key in keys.items()).encode())


def index(host, what="stat"):
    """The module's counters (what="stat") or state ("info")."""
    return json.loads(host.sh(f"umig index {what} --json"))


def wait_index(host, timeout=120):
    """Wait until the module has hashed all that KSM has merged so far."""
    end = time.monotonic() + timeout
    while True:
        stat, info = index(host), index(host, "info")
        if stat["queue_len"] == 0 and \
           info["hashed_pages"] == info["merged_pages"]:
            say(f"{host.name}: index: {info['hashed_pages']} of "
                f"{info['merged_pages']} merged pages hashed")
            return info
        if time.monotonic() > end:
            raise LabError(f"{host.name}: index not complete in {timeout} s: "
                           f"{info}")
        time.sleep(0.5)


def wait_leases_given_back(host, timeout=60):
    """What the engine gives back after the guest runs; returns the index."""
    end = time.monotonic() + timeout
    while True:
        stat = index(host)
        if stat["leases"] == 0:
            return stat
        if time.monotonic() > end:
            raise LabError(f"{host.name}: {stat['leases']} leases are still "
                           f"held {timeout} s after the migration")
        time.sleep(0.2)


class Process:
    """A umig process that is, or may become, a guest's home."""

    def __init__(self, guest_, host, control, argv):
        self.host = host
        self.control = control
        self.log = []
        self._part = b""
        self._guest = guest_
        self.command = host.start(argv, raw=self._output, keep_input=True)

    def _output(self, stream, data):
        if stream == STDOUT:
            self._guest.serial.feed(data)
            return
        *lines, self._part = (self._part + data).split(b"\n")
        for line in lines:
            self.log.append(line.decode(errors="replace"))
            say(f"{self.host.name}: umig: {self.log[-1]}", level=2)

    def pid(self):
        """Its process number in the host."""
        return self.command.pid()

    def tail(self):
        """The end of its log."""
        return "\n".join(f"    umig: {line}" for line in self.log[-15:])

    def threads(self):
        """Where its threads are, in user and kernel mode, for a person."""
        return self.host.sh(
            f"for t in /proc/{self.pid()}/task/*; do echo $(cat $t/comm) "
            "$(cut -d' ' -f3,14,15 $t/stat); cat $t/stack; done; true")

    def wait_end(self, timeout):
        """Wait until it has ended; if it doesn't, say what it does."""
        try:
            self.command.wait(timeout)
        except LabError as e:
            raise LabError(f"{e}\n{self._guest.serial.tail()}\n"
                           f"{self.tail()}\n{self.threads()}") from e

    def wait_log(self, words, what, start=0, timeout=60):
        """Wait until a line from @start of its log has @words."""
        with self.host.agent.changed:
            self.host.agent.wait_for(
                lambda: any(words in s for s in self.log[start:]) or
                not self.command.running(), timeout, what)
        if not self.command.running():
            raise CommandFailed(f"{self.control}: its process ended "
                                f"({self.command.status})\n{self.tail()}")
        return [s for s in self.log[start:] if words in s]

    def wait_listening(self, timeout=60):
        """Wait until it can be migrated to."""
        self.wait_log("waiting for a guest", f"{self.control} listens",
                      timeout=timeout)

    def ask(self, execute, **arguments):
        """A command on its control socket; returns the answer."""
        client = self.host.start(["unixcat", self.control], keep_input=True)
        client.wait_line(lambda line: line.text.startswith("{"), 30)
        for request in ({"execute": "qmp_capabilities"},
                        {"execute": execute, "arguments": arguments,
                         "id": "lab"}):
            client.send(json.dumps(request) + "\n")
        at = client.wait_line(lambda line: '"lab"' in line.text, 30)
        answer = json.loads(client.lines[at].text)
        client.end_input()
        if "error" in answer:
            raise LabError(f"{self.control}: {execute}: "
                           f"{answer['error']['desc']}")
        return answer["return"]

    def umig(self, name, *args, timeout=60):
        """Run a umig subcommand on its control socket."""
        return self.host.run(["umig", name, "--control", self.control,
                              *map(str, args)], timeout)


class Migration:
    """A migration under way, or ended.  @report: the JSON object."""

    def __init__(self, guest_, source, target, command, classes):
        self.guest = guest_
        self.source = source
        self.target = target
        self.command = command
        self.classes_path = classes
        self.started = time.monotonic()
        self.ended = None
        self.report = None

    def wait(self, timeout=300):
        """Its end; returns the exit status of umig migrate."""
        status = self.command.wait(timeout)
        self.ended = time.monotonic()
        try:
            self.report = json.loads(self.command.out)
        except ValueError:
            self.report = None
        return status

    def finish(self, timeout=300):
        """Its successful end; returns the report."""
        if self.wait(timeout) or self.report is None:
            raise CommandFailed(
                f"umig migrate: exit status {self.command.status}\n"
                f"{self.command.tail()}\n  source:\n{self.source.tail()}\n"
                f"  destination:\n{self.target.tail()}")
        self.guest.process = self.target
        self.source.command.wait(30)
        return self.report

    def classes(self):
        """One byte a guest page: how its final content went."""
        return self.source.host.get(self.classes_path)


class Guest:
    """A guest: its machine, and where it is now (@process).

    Without a @disk it works on files in its memory.
    """

    def __init__(self, name, disk, *, memory="256M", cpus=1, dirty="auto",
                 work=None, cmdline=""):
        self.name = name
        self.process = None
        self.serial = Serial(name, self._why_silent)
        self._moves = 0
        self._machine = {"name": name, "memory": memory, "cpus": cpus,
                         "dirty": dirty, "serial": "stdio"}
        words = [CMDLINE, cmdline]
        if disk:
            self._machine["disk"] = disk
        else:
            words.append("lab.disk=none")
        words += [f"work.{k}={v}" for k, v in (work or {}).items()]
        self._boot = ["--kernel", "/guest/vmlinuz", "--initrd",
                      "/guest/initrd", "--cmdline", " ".join(words)]

    def check_alive(self):
        """Raise if its process has ended, with the last that it said."""
        why = self._why_silent()
        if why:
            raise LabError(f"{self.name}: {why}\n{self.serial.tail()}")

    def _why_silent(self):
        process = self.process
        if process is None:
            return "it hasn't been started"
        why = process.host.why_dead()
        if why:
            return why
        if not process.command.running():
            return (f"umig has ended ({process.command.status})\n"
                    f"{process.tail()}")
        return None

    def _argv(self, verb, control, machine, more):
        options = [f"--{k}={v}" for k, v in machine.items()]
        return ["umig", verb, *options, "--control", control, *map(str, more)]

    def start(self, host, *more):
        """Boot it on a host."""
        say(f"{host.name}: {self.name} boots")
        control = f"/run/umig/{self.name}.sock"
        self.process = Process(self, host, control, self._argv(
            "run", control, self._machine, self._boot + list(more)))
        return self

    def ready(self, timeout=300):
        """Wait until it has read its files and works."""
        line = self.serial.wait_line("READY", timeout)
        say(f"{self.name}: {line}")
        return self

    def listen(self, host, *more, port=PORT, **machine):
        """A process on @host that waits for it; @machine: what differs."""
        self._moves += 1
        control = f"/run/umig/{self.name}.{self._moves}.sock"
        process = Process(self, host, control, self._argv(
            "listen", control, dict(self._machine, **machine),
            ["--listen", f"{host.address}:{port}", *more]))
        process.wait_listening()
        return process

    def start_migration(self, target, *more, port=PORT):
        """Begin to migrate it to the process @target."""
        classes = f"/tmp/{self.name}.{self._moves}.classes"
        source = self.process
        command = source.host.start(
            ["umig", "migrate", "--control", source.control, "--to",
             f"{target.host.address}:{port}", "--json", "--page-classes",
             classes, *DOWNTIME, *map(str, more)])
        say(f"{self.name}: migrating from {source.host.name} to "
            f"{target.host.name}")
        return Migration(self, source, target, command, classes)

    def migrate(self, host, *more, timeout=300):
        """Migrate it; returns the ended Migration."""
        migration = self.start_migration(self.listen(host), *more)
        migration.finish(timeout)
        return migration

    def stop(self, timeout=150):
        """Let it end its work, unmount its disk and power off."""
        self.process.command.send("stop\n")
        self.serial.wait_line("STOPPED", timeout)
        self.process.wait_end(timeout)
