# SPDX-License-Identifier: GPL-2.0
"""The lab: real hosts under QEMU's emulation, for tests and the demo.

Start reading at labctl (the command line) or cluster.py (from Python).
"""
