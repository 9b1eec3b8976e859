"""control_msgs for tests: ROS 2's where it is installed, otherwise the one action of it, built from `control_msgs/`."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).parent / "control_msgs"
ROOT = Path(__file__).resolve().parents[5]
CMAKE = ROOT / "ros2_ws/cmake"


@contextmanager
def control_msgs() -> Iterator[None]:
    """`import control_msgs.action` works inside; outside again only if it did before."""
    if importlib.util.find_spec("control_msgs") is not None:
        yield
        return
    install = _built()
    libraries = [str(path) for path in (install / "lib").glob("*.so")]
    while libraries:  # each needs others of them, whose names are known once they are loaded
        later = [path for path in libraries if not _loaded(path)]
        assert len(later) < len(libraries), later
        libraries = later
    (packages,) = install.glob("lib/python*/site-packages")
    sys.path.insert(0, str(packages))
    try:
        yield
    finally:
        sys.path.remove(str(packages))
        for name in [name for name in sys.modules if name.split(".")[0] == "control_msgs"]:
            del sys.modules[name]


def _loaded(path: str) -> bool:
    try:
        ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def _built() -> Path:
    """Where it is installed; made anew (half a minute) when its sources have changed."""
    files = sorted(path for folder in (SOURCE, CMAKE) for path in folder.rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    folder = ROOT / "build" / f"control_msgs-{digest}-py{sys.version_info.major}.{sys.version_info.minor}"
    install = folder / "install"
    if not (folder / "done").exists():
        # As .ci/setup builds the project's own interfaces.
        environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, "AMENT_PREFIX_PATH": sys.prefix}
        options = {
            "CMAKE_BUILD_TYPE": "Release", "BUILD_TESTING": "OFF", "CMAKE_PREFIX_PATH": sys.prefix,
            "CMAKE_INSTALL_PREFIX": install, "Python3_EXECUTABLE": sys.executable,
            "CMAKE_PROJECT_INCLUDE": CMAKE / "drop_foreign_includes.cmake",
        }  # fmt: skip
        build = folder / "build"
        for command in (
            ["cmake", "-S", SOURCE, "-B", build, *(f"-D{name}={value}" for name, value in options.items())],
            ["cmake", "--build", build, "--parallel", "2", "--target", "install"],
        ):
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            assert done.returncode == 0, done.stdout[-3000:]
        (folder / "done").touch()
    return install
