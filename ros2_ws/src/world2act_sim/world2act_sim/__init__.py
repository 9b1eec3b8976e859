"""MuJoCo worlds, tasks and scripted experts of World2Act. No ROS, no torch."""

from __future__ import annotations

import logging
import os

# MuJoCo reads this when it is first imported, which robosuite does; without a display only EGL or OSMesa work.
os.environ.setdefault("MUJOCO_GL", "egl")

# robosuite greets every import with warnings about optional parts (GR1's whole-body control, private macros) that this
# project does not use; they bury a robot's own log. Errors still show.
logging.getLogger("robosuite_logs").addFilter(lambda record: record.levelno >= logging.ERROR)

__version__ = "0.1.0"
