# SPDX-License-Identifier: GPL-2.0
"""Live migrations of one bare guest by umig and by QEMU, measured alike."""


class BenchError(Exception):
    """What went wrong, in words for whoever runs the bench."""


class NotMoved(BenchError):
    """The migrator gave up, and the guest is where it was: a result."""


class WrongPage(BenchError):
    """The guest moved, but not as it was: the worst result of all."""
