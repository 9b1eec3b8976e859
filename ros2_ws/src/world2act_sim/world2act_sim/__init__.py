"""MuJoCo worlds, tasks and scripted experts of World2Act. No ROS, no torch."""

from __future__ import annotations

import os

# MuJoCo reads this when it is first imported, which robosuite does; without a display only EGL or OSMesa work.
os.environ.setdefault("MUJOCO_GL", "egl")

__version__ = "0.1.0"
