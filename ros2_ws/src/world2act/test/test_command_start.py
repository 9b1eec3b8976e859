"""`world2act clear` is typed in a hurry: no command loads what only another one needs."""

from __future__ import annotations

import subprocess
import sys

SLOW = ("cv2", "matplotlib", "mink", "mujoco", "numba", "onnxruntime", "robosuite", "scipy", "torch")
LOADED = "import sys, world2act.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"


def test_the_command_begins_without_simulator_engine_and_statistics() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60, check=True)
    loaded = done.stdout.split()
    assert "tyro" in loaded and not [name for name in SLOW if name in loaded]
