"""Light, camera, table surface and object instances: the part of a reset that changes how the world looks."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from world2act_sim.bodies import SceneBody
from world2act_sim.catalogue import VOCABULARY_OBJECTS
from world2act_sim.perturbation import Perturbation
from world2act_sim.tabletop_env import SCENE_CAMERA, TABLE_TEXTURES

CAMERA_SHIFT_M = 0.08
CAMERA_TURN_RAD = 0.105


class Appearance:
    """Applies perturbations to a model, always starting from its nominal look."""

    def __init__(self, model: mujoco.MjModel, bodies: Mapping[str, SceneBody]) -> None:
        self._model = model
        self._bodies = bodies
        self._camera = model.camera(SCENE_CAMERA).id
        self._table = model.geom("table_visual").id
        self._surfaces = [model.material(f"table-{name}").id for name in TABLE_TEXTURES]
        fields = (
            "geom_size",
            "geom_rgba",
            "geom_rbound",
            "geom_aabb",
            "light_diffuse",
            "light_dir",
            "light_ambient",
            "cam_pos",
            "cam_quat",
            "geom_matid",
        )
        self._nominal = {name: getattr(model, name).copy() for name in fields}
        self._headlight = model.vis.headlight.ambient.copy(), model.vis.headlight.diffuse.copy()

    def apply(self, rng: np.random.Generator, perturbation: Perturbation) -> None:
        """Restore the nominal look, then change what the perturbation says."""
        for name, value in self._nominal.items():
            getattr(self._model, name)[:] = value
        self._light(rng, perturbation.light)
        self._move_camera(rng, perturbation.camera_pose)
        surface = int(rng.integers(1, len(self._surfaces))) if perturbation.texture else 0
        self._model.geom_matid[self._table] = self._surfaces[surface]
        if perturbation.unseen_instance:
            self._change_instances(rng)
        for body in self._bodies.values():
            if body.qpos >= 0:
                body.measure(self._model)

    def _light(self, rng: np.random.Generator, strength: float) -> None:
        model = self._model
        brightness = 2.0 ** (strength * rng.uniform(-1.0, 1.0))
        tint = 1.0 + strength * rng.uniform(-0.25, 0.25, 3)
        model.light_diffuse[:] = (self._nominal["light_diffuse"] * brightness * tint).clip(0.0, 1.0)
        turned = self._nominal["light_dir"] + strength * rng.uniform(-0.5, 0.5, (model.nlight, 3)) * [1, 1, 0]
        model.light_dir[:] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
        ambient, diffuse = self._headlight
        model.vis.headlight.ambient[:] = (ambient * brightness * tint).clip(0.0, 1.0)
        model.vis.headlight.diffuse[:] = (diffuse * brightness * tint).clip(0.0, 1.0)

    def _move_camera(self, rng: np.random.Generator, strength: float) -> None:
        shift = strength * rng.uniform(-CAMERA_SHIFT_M, CAMERA_SHIFT_M, 3)
        turn = Rotation.from_rotvec(strength * rng.uniform(-CAMERA_TURN_RAD, CAMERA_TURN_RAD, 3))
        self._model.cam_pos[self._camera] += shift
        w, x, y, z = self._nominal["cam_quat"][self._camera]
        x, y, z, w = (turn * Rotation.from_quat([x, y, z, w])).as_quat()
        self._model.cam_quat[self._camera] = [w, x, y, z]

    def _change_instances(self, rng: np.random.Generator) -> None:
        """Another size (within the gripper's reach) and shade for every primitive of the vocabulary."""
        model = self._model
        for spec in VOCABULARY_OBJECTS:
            scale, shade = rng.uniform(0.85, 1.2), rng.uniform(-0.18, 0.18, 3)
            if spec.shape == "mesh":
                continue
            body = self._bodies[spec.name]
            for geom in (*body.geoms, *body.visuals):
                model.geom_size[geom] *= scale
                model.geom_rbound[geom] *= scale
                model.geom_aabb[geom] *= scale
                model.geom_rgba[geom, :3] = (model.geom_rgba[geom, :3] + shade).clip(0.0, 1.0)
