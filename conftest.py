"""What every test process starts from, however pytest was called; the Makefile says the same for all that it runs."""

from __future__ import annotations

import os

# Before anything imports mujoco, whose way of rendering is chosen then: without a display its default fails.
os.environ.setdefault("MUJOCO_GL", "egl")
# Threads that spin while they wait take the processor from the tests' other processes.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
