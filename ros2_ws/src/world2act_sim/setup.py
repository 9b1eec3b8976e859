"""Packaging of world2act_sim, for both `pip install` and `colcon build` (ament_python)."""

from setuptools import find_packages, setup

PACKAGE = "world2act_sim"

setup(
    name=PACKAGE,
    version="0.1.0",
    description="MuJoCo worlds, tasks and scripted experts of World2Act, on robosuite.",
    author="World2Act maintainers",
    author_email="world2act@maintainers.example",
    maintainer="World2Act maintainers",
    maintainer_email="world2act@maintainers.example",
    license="Apache-2.0",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={PACKAGE: ["py.typed", "assets/*.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    python_requires=">=3.11",
    install_requires=[
        "world2act_core",
        "numpy",
        "scipy",
        "mujoco>=3.3,<3.10",
        "robosuite==1.5.2",
        "h5py",
        "trimesh",
        "fast-simplification",
    ],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
)
