"""What colcon, pip and ROS 2 each read about a package must agree, or one of the three breaks on somebody's machine."""

from __future__ import annotations

import ast
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON_PACKAGES = ("world2act_core", "world2act_sim", "world2act")
PACKAGES = ("world2act_interfaces", *PYTHON_PACKAGES)


def manifest(package: str) -> ElementTree.Element:
    """Return the root element of a package's package.xml."""
    return ElementTree.parse(ROOT / "ros2_ws/src" / package / "package.xml").getroot()


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_names_the_package_and_a_build_type(package: str) -> None:
    root = manifest(package)
    assert root.findtext("name") == package
    assert root.findtext("license") == "Apache-2.0"
    build_type = "ament_cmake" if package == "world2act_interfaces" else "ament_python"
    assert root.findtext("export/build_type") == build_type
    maintainer = root.find("maintainer")
    assert maintainer is not None
    # catkin_pkg refuses the whole workspace otherwise
    assert re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}", maintainer.get("email", ""))


def test_one_maintainer_everywhere() -> None:
    found = {f"{package}/package.xml": manifest(package).find("maintainer").get("email") for package in PACKAGES}
    for package in PYTHON_PACKAGES:
        text = (ROOT / "ros2_ws/src" / package / "setup.py").read_text()
        found |= {f"{package}/setup.py {key}": value for key, value in re.findall(r'(\w+_email)="([^"]+)"', text)}
    assert len(set(found.values())) == 1, found


def test_all_versions_are_the_same() -> None:
    versions = {package: manifest(package).findtext("version") for package in PACKAGES}
    for package in PYTHON_PACKAGES:
        text = (ROOT / "ros2_ws/src" / package / "setup.py").read_text()
        versions[f"{package}/setup.py"] = re.search(r'version="([^"]+)"', text)[1]
    versions["training"] = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(), flags=re.M)[1]
    assert len(set(versions.values())) == 1, versions


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_ros_can_find_the_package_and_run_its_scripts(package: str) -> None:
    folder = ROOT / "ros2_ws/src" / package
    assert (folder / "resource" / package).is_file(), "the resource index needs this empty marker file"
    setup = (folder / "setup.py").read_text()
    assert "share/ament_index/resource_index/packages" in setup and "package.xml" in setup
    assert f"script_dir=$base/lib/{package}" in (folder / "setup.cfg").read_text(), "`ros2 run` looks there"


def test_every_ros_package_that_is_imported_is_a_dependency() -> None:
    source = ROOT / "ros2_ws/src/world2act/world2act"
    imported = set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).partition(".")[0])
    ros = ("rclpy", "launch", "launch_ros")
    wanted = {name for name in imported if name in ros or name.endswith(("_msgs", "_interfaces"))}
    assert wanted >= {"rclpy", "launch_ros", "sensor_msgs"}
    asked = {element.text for element in manifest("world2act") if element.tag.endswith("depend")}
    assert wanted <= asked, f"add to package.xml: {sorted(wanted - asked)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_own_dependencies_exist(package: str) -> None:
    asked = {element.text for element in manifest(package) if element.tag.endswith("depend")}
    assert {name for name in asked if name and name.startswith("world2act")} <= set(PACKAGES)


def test_setup_refuses_an_unknown_profile() -> None:
    result = subprocess.run([ROOT / ".ci/setup", "nonsense"], capture_output=True, text=True, timeout=30)
    assert result.returncode == 1 and "runtime|full" in result.stderr


def test_no_machine_path_in_the_set_up() -> None:
    for path in [*(ROOT / ".ci").iterdir(), ROOT / "Makefile", ROOT / "pyproject.toml"]:
        if path.is_file():
            found = re.search(r"/(home|root|work|tmp|opt)/\w+", path.read_text())
            assert not found, f"{path.name} names a folder of one machine: {found and found[0]}"
