# SPDX-License-Identifier: GPL-2.0
"""What a migrator's two ends are for the measurement, whoever it is."""

from live.guest import CODE, PARAMS


class End:
    """One process with a VM.

    @vcpus: the threads that run the guest, whose CPU time is the guest's.
    """

    def __init__(self, process, qmp, guest, vcpus):
        self.process = process
        self.qmp = qmp
        self.guest = guest
        self.vcpus = vcpus

    def cpu_s(self):
        """What the process took, less the guest; and the guest."""
        guest = sum(self.process.thread_cpu_s(tid) for tid in self.vcpus)
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
        self.source.guest.write(PARAMS, load.params(hz, self.tools.cpus))
        with open(self.tools.guest, "rb") as f:
            self.source.guest.write(CODE, f.read())
        self.source.qmp.call("cont")

    def start(self):
        """Make both ends."""
        raise NotImplementedError

    def migrate(self):
        """Begin; returns at once."""
        raise NotImplementedError

    def vcpus(self):
        """What the source's vCPUs had to stand, a record each, if it tells."""
        return []

    def wait(self, until):
        """Its own report when it has ended; TimeoutError."""
        raise NotImplementedError
