"""The physical objects of the Tabletop world: shape, size, colour, and what can be done with each.

Names are those of `world2act_core.vocabulary`; this file adds what only a simulator needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from robosuite.models.objects import BallObject, BoxObject, CapsuleObject, CylinderObject, MujocoObject, MujocoXMLObject
from robosuite.utils.mjcf_utils import xml_path_completion

Shape = Literal["box", "cylinder", "ball", "capsule", "mesh"]


@dataclass(frozen=True)
class ObjectSpec:
    """One object that can lie on the table.

    Attributes:
        name: the name people use ("red cube").
        size: half extents in metres along the object's x, y, z axes (about, for meshes: `TabletopWorld` measures them).
        rgba: colour, each in [0, 1]; ignored by textured meshes.
        mesh: robosuite asset ("can") when shape is "mesh", with `scale` applied to it.
        yaw_period: rotation about z in radians after which a grasp looks the same (pi/2 for a cube, 0 for round).
        grasp_below_top: metres below the object's top at which the fingertips close.
        stackable: may be stacked on something (flat underneath, steady).
        support: something may be stacked on it (flat on top).
    """

    name: str
    shape: Shape
    size: tuple[float, float, float]
    rgba: tuple[float, float, float, float] = (0.7, 0.7, 0.7, 1.0)
    mesh: str = ""
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    yaw_period: float = 0.0
    grasp_below_top: float = 0.022
    stackable: bool = False
    support: bool = False

    @property
    def identifier(self) -> str:
        """The name in MuJoCo: no spaces."""
        return self.name.replace(" ", "_")

    @property
    def footprint_radius(self) -> float:
        """Radius in metres of the circle around the object seen from above."""
        if self.yaw_period == 0.0:
            return max(self.size[0], self.size[1])
        return float((self.size[0] ** 2 + self.size[1] ** 2) ** 0.5)


HALF_PI = 1.5707963267948966
PI = 3.141592653589793

VOCABULARY_OBJECTS: tuple[ObjectSpec, ...] = (
    ObjectSpec(
        "red cube", "box", (0.022,) * 3, (0.85, 0.08, 0.08, 1), yaw_period=HALF_PI, stackable=True, support=True
    ),
    ObjectSpec(
        "green cube", "box", (0.022,) * 3, (0.08, 0.6, 0.12, 1), yaw_period=HALF_PI, stackable=True, support=True
    ),
    ObjectSpec("blue cube", "box", (0.022,) * 3, (0.1, 0.2, 0.85, 1), yaw_period=HALF_PI, stackable=True, support=True),
    ObjectSpec("yellow cylinder", "cylinder", (0.021, 0.021, 0.026), (0.95, 0.82, 0.05, 1), stackable=True),
    ObjectSpec(
        "purple brick",
        "box",
        (0.028, 0.021, 0.020),
        (0.5, 0.1, 0.6, 1),
        yaw_period=HALF_PI,
        stackable=True,
        support=True,
    ),
    ObjectSpec("orange ball", "ball", (0.024,) * 3, (0.98, 0.45, 0.05, 1), grasp_below_top=0.026),
    ObjectSpec("can", "mesh", (0.0255, 0.0255, 0.042), mesh="can", scale=(1.0, 1.0, 0.85), grasp_below_top=0.03),
    ObjectSpec(
        "milk carton",
        "mesh",
        (0.023, 0.023, 0.036),
        mesh="milk",
        scale=(1.15, 1.15, 0.5),
        yaw_period=HALF_PI,
        grasp_below_top=0.03,
    ),
    ObjectSpec("bread", "mesh", (0.024, 0.02, 0.024), mesh="bread", yaw_period=HALF_PI),
)

UNSEEN_CATEGORY_OBJECTS: tuple[ObjectSpec, ...] = (
    ObjectSpec("lemon", "mesh", (0.03, 0.02, 0.02), mesh="lemon", yaw_period=PI),
    ObjectSpec("bottle", "mesh", (0.025, 0.025, 0.06), mesh="bottle", scale=(0.9, 0.9, 0.75), grasp_below_top=0.03),
    ObjectSpec(
        "cereal box",
        "mesh",
        (0.03, 0.02, 0.06),
        mesh="cereal",
        scale=(0.9, 1.5, 0.6),
        yaw_period=PI,
        grasp_below_top=0.035,
    ),
)

DISTRACTOR_OBJECTS: tuple[ObjectSpec, ...] = (
    ObjectSpec("grey capsule", "capsule", (0.018, 0.018, 0.036), (0.35, 0.35, 0.38, 1)),
    ObjectSpec("pink box", "box", (0.026, 0.018, 0.03), (0.95, 0.55, 0.7, 1), yaw_period=PI),
    ObjectSpec("teal cylinder", "cylinder", (0.026, 0.026, 0.016), (0.1, 0.6, 0.6, 1)),
)

CATALOGUE: dict[str, ObjectSpec] = {
    spec.name: spec for spec in (*VOCABULARY_OBJECTS, *UNSEEN_CATEGORY_OBJECTS, *DISTRACTOR_OBJECTS)
}
CONTAINERS: tuple[str, ...] = ("bin", "plate")


def build_object(spec: ObjectSpec) -> MujocoObject:
    """Make the robosuite object for a spec."""
    name = spec.identifier
    if spec.shape == "mesh":
        return MujocoXMLObject(
            xml_path_completion(f"objects/{spec.mesh}.xml"),
            name=name,
            joints=[{"type": "free", "damping": "0.0005"}],
            obj_type="all",
            duplicate_collision_geoms=spec.mesh != "bottle",
            scale=list(spec.scale),
        )
    common = {"name": name, "rgba": list(spec.rgba), "density": 400.0, "friction": [1.0, 0.01, 0.001]}
    if spec.shape == "box":
        return BoxObject(size=list(spec.size), **common)
    if spec.shape == "ball":
        return BallObject(size=[spec.size[0]], **common)
    if spec.shape == "capsule":
        return CapsuleObject(size=[spec.size[0], spec.size[2] - spec.size[0]], **common)
    return CylinderObject(size=[spec.size[0], spec.size[2]], **common)


def build_container(name: str) -> MujocoObject:
    """Make a fixed container ("bin" or "plate"); its pose is set in the model at each reset."""
    path = resources.files("world2act_sim") / "assets" / f"{name}.xml"
    return MujocoXMLObject(str(path), name=name, joints=None, obj_type="all", duplicate_collision_geoms=True)


def specs(names: Sequence[str]) -> list[ObjectSpec]:
    """Look names up; raises KeyError naming the unknown one and the known ones."""
    unknown = [name for name in names if name not in CATALOGUE]
    if unknown:
        raise KeyError(f"no object called {unknown[0]!r} in the Tabletop world; it has: {', '.join(CATALOGUE)}")
    return [CATALOGUE[name] for name in names]
