"""Installs the nodes and the command line, with pip or with colcon."""

from glob import glob

from setuptools import find_packages, setup

NODES = (
    "camera_ingest", "vla_policy", "skill_planner", "arm_commander", "joint_commander", "recorder", "sim_bridge",
    "sim_arm",
)  # fmt: skip

setup(
    name="world2act",
    version="0.1.0",
    description="The ROS 2 nodes and command line of World2Act",
    license="Apache-2.0",
    maintainer="World2Act maintainers",
    maintainer_email="world2act@maintainers.example",
    packages=find_packages(exclude=["test"]),
    package_data={"world2act": ["py.typed", "data/*.xml", "data/gazebo/*"]},
    python_requires=">=3.11",
    # The ROS message packages come from ROS itself or from the locked requirements at the root: PyPI's names differ.
    install_requires=["numpy", "opencv-python-headless", "psutil", "rich", "tyro"],
    extras_require={"cameras": ["av"], "demo": ["av", "matplotlib"], "foxglove": ["foxglove-sdk"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/world2act"]),
        ("share/world2act", ["package.xml"]),
        # The launch files live at the repository's root, where people look for them.
        ("share/world2act/launch", sorted(glob("../../../launch/*.launch.py"))),
    ],
    entry_points={
        "console_scripts": ["world2act = world2act.cli.main:main"]
        + [f"{name} = world2act.nodes.{name}:main" for name in NODES],
    },
    zip_safe=False,
)
