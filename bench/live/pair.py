# SPDX-License-Identifier: GPL-2.0
"""What a migrator's two ends are for the measurement, whoever it is."""

from live.guest import CODE, PARAMS


class End:
    """One process with a VM.

    @vcpu: the thread that runs the guest, whose CPU time is the guest's.
    """

    def __init__(self, process, qmp, guest, vcpu):
        self.process = process
        self.qmp = qmp
        self.guest = guest
        self.vcpu = vcpu

    def cpu_s(self):
        """What the process took, less the guest; and the guest."""
        guest = self.process.thread_cpu_s(self.vcpu)
        return self.process.cpu_s() - guest, guest


class Pair:
    """Source and destination.  Subclasses are umig's and QEMU's.

    @link: where they are; @mode: how the migration is to go.
    """

    def __init__(self, tools, link, mode, directory):
        self.tools = tools
        self.link = link
        self.mode = mode
        self.directory = directory
        self.processes = []
        self.source = None
        self.target = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.end()

    def boot(self, load, hz):
        """Let the guest run at the source, whose RAM has been filled."""
        self.source.guest.write(PARAMS, load.params(hz))
        with open(self.tools.guest, "rb") as f:
            self.source.guest.write(CODE, f.read())
        self.source.qmp.call("cont")

    def start(self):
        """Make both ends."""
        raise NotImplementedError

    def migrate(self):
        """Begin; returns at once."""
        raise NotImplementedError

    def wait(self, until):
        """Its own report when it has ended; TimeoutError."""
        raise NotImplementedError
