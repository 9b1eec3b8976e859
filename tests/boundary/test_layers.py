"""The layers of the design, enforced: core and sim load neither ROS nor torch, the nodes no torch, training no ROS."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "world2act_core": ROOT / "ros2_ws/src/world2act_core/world2act_core",
    "world2act_sim": ROOT / "ros2_ws/src/world2act_sim/world2act_sim",
    "world2act": ROOT / "ros2_ws/src/world2act/world2act",
    "training": ROOT / "training",
}
# package -> modules that must not be loaded by importing all of it
FORBIDDEN = {
    "world2act_core": ("rclpy", "world2act_interfaces", "torch", "world2act_sim", "world2act", "training"),
    "world2act_sim": ("rclpy", "world2act_interfaces", "torch", "world2act", "training"),
    "world2act": ("torch", "transformers", "training"),
    "training": ("rclpy", "world2act_interfaces", "world2act"),
}
# Imports every module named on the command line, then prints which top-level modules are loaded.
IMPORT_ALL = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def modules_of(package: str) -> list[str]:
    """Return the dotted names of a package's modules, without its tests and `__main__` (which would run)."""
    folder = SOURCES[package]
    names = []
    for path in sorted(folder.rglob("*.py")):
        parts = (package, *path.relative_to(folder).with_suffix("").parts)
        if "tests" in parts or parts[-1] == "__main__":
            continue
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_importing_a_layer_does_not_load_the_layers_above_it(package: str) -> None:
    names = modules_of(package)
    assert names, f"{SOURCES[package]} has no modules: is the path in this test still right?"
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names], capture_output=True, text=True, timeout=200, cwd=ROOT
    )
    assert result.returncode == 0, f"importing {package} failed:\n{result.stderr}"
    loaded = set(json.loads(result.stdout.splitlines()[-1]))
    assert package in loaded
    trespassing = loaded.intersection(FORBIDDEN[package])
    assert not trespassing, f"importing {package} loads {sorted(trespassing)}: that import belongs to another layer"


def test_the_check_sees_a_forbidden_import() -> None:
    """The test above would pass for ever if the subprocess could not see rclpy at all."""
    result = subprocess.run([sys.executable, "-c", IMPORT_ALL, "rclpy"], capture_output=True, text=True, timeout=60)
    assert "rclpy" in json.loads(result.stdout.splitlines()[-1])


def test_launch_is_no_python_package() -> None:
    """An `__init__.py` there would shadow the `launch` package of ROS 2."""
    assert not list((ROOT / "launch").rglob("__init__.py"))
