"""Packaging of world2act_core, for both `pip install` and `colcon build` (ament_python)."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = "world2act_core"

setup(
    name=PACKAGE,
    version="0.1.0",
    description="World2Act without ROS and torch: contract, engines, chunk sampling, limits, skills, statistics.",
    author="World2Act maintainers",
    author_email="world2act@maintainers.example",
    maintainer="World2Act maintainers",
    maintainer_email="world2act@maintainers.example",
    license="Apache-2.0",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={PACKAGE: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        # The robot profiles live at the repository's root, where people look for them.
        (f"share/{PACKAGE}/robots", sorted(glob("../../../robots/*.yaml"))),
    ],
    python_requires=">=3.11",
    install_requires=[
        "numpy",
        "scipy",
        "pydantic>=2",
        "pyyaml",
        "ruckig",
        "numba",
        "onnxruntime",
        "safetensors",
        "tokenizers",
        "opencv-python-headless",
        "mcap",
    ],
    # llm: the language-model planner; imported only when it is used, and its absence is said with this name
    # robot: kinematics of a robot profile
    extras_require={
        "llm": ["openai"],
        "robot": ["mujoco", "mink", "quadprog", "robosuite"],
        "test": ["pytest", "hypothesis", "onnx", "openai"],
    },
    zip_safe=True,
)
