"""The MuJoCo model of the Tabletop world: robosuite's arm, table and controller, and every object of the catalogue.

One model holds all objects; those an episode does not use are parked below the floor, unseen and untouched, so that
a reset costs no compilation.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import OrderedDict
from typing import Any

import mujoco
import numpy as np
from robosuite.controllers import load_composite_controller_config
from robosuite.environments.manipulation.manipulation_env import ManipulationEnv
from robosuite.models.arenas import TableArena
from robosuite.models.tasks import ManipulationTask
from robosuite.utils.mjcf_utils import xml_path_completion

from world2act_sim.catalogue import CATALOGUE, CONTAINERS, build_container, build_object
from world2act_sim.fixtures import FixtureName, build_fixture
from world2act_sim.meshes import decimate_visual_meshes

TABLE_HEIGHT = 0.8
CONTROL_HZ = 10
TABLE_TEXTURES: tuple[str, ...] = (
    "gray-felt",
    "light-wood",
    "dark-wood",
    "green-wood",
    "white-bricks",
    "blue-wood",
    "clay",
)
SCENE_CAMERA = "scene"
WRIST_CAMERA = "robot0_eye_in_hand"
WRIST_TILT_RAD = -0.22


class TabletopEnv(ManipulationEnv):
    """A robosuite environment without observables, reward or renderer: `TabletopWorld` adds what a policy needs.

    Args:
        robot: robosuite's name of the arm ("Panda", "UR5e", "Sawyer", "IIWA", "Kinova3", "XArm7").
        decimate: use decimated visual meshes.
        seed: seeds robosuite's own generators (unused after construction; resets are seeded by the world).
        fixtures: what is fixed to the table besides the containers.
    """

    def __init__(
        self, robot: str = "Panda", decimate: bool = True, seed: int = 0, fixtures: tuple[FixtureName, ...] = ()
    ) -> None:
        self._decimate = decimate
        self.objects = {name: build_object(spec) for name, spec in CATALOGUE.items()}
        self.containers = {name: build_container(name) for name in CONTAINERS}
        self.fixtures = {name: build_fixture(name) for name in fixtures}
        super().__init__(
            robots=[robot],
            controller_configs=_controller_config(robot),
            base_types="default",
            gripper_types="PandaGripper",  # on every arm: the objects are made for its 8 cm opening
            initialization_noise=None,
            use_camera_obs=False,
            has_renderer=False,
            has_offscreen_renderer=False,
            control_freq=CONTROL_HZ,
            ignore_done=True,
            hard_reset=False,
            renderer="mujoco",
            seed=seed,
        )

    def reward(self, action: Any = None) -> float:
        """Always zero: success is judged from physics state by `world2act_sim.judge`."""
        return 0.0

    def _load_model(self) -> None:
        super()._load_model()
        robot_model = self.robots[0].robot_model
        robot_model.set_base_xpos(robot_model.base_xpos_offset["table"](0.8))
        arena = TableArena(table_full_size=(0.8, 0.8, 0.05), table_offset=np.array((0.0, 0.0, TABLE_HEIGHT)))
        arena.set_origin([0, 0, 0])
        # Looks at the table from the robot's front left, so that heights and depths both show.
        arena.set_camera(
            SCENE_CAMERA,
            pos=[0.62, -0.42, 1.42],
            quat=_look_at([0.62, -0.42, 1.42], [-0.03, -0.02, 0.83]),
            camera_attribs={"fovy": "46"},
        )
        _add_table_materials(arena)
        self.model = ManipulationTask(
            mujoco_arena=arena,
            mujoco_robots=[robot.robot_model for robot in self.robots],
            mujoco_objects=[*self.objects.values(), *self.containers.values(), *self.fixtures.values()],
        )

    def _initialize_sim(self, xml_string: str | None = None) -> None:
        xml = _with_lights(xml_string or self.model.get_xml())
        super()._initialize_sim(decimate_visual_meshes(xml) if self._decimate else xml)
        self._tilt_wrist_camera()
        self._free_overlapping_bases()

    def _free_overlapping_bases(self) -> None:
        """Let a fixed base touch nothing: Sawyer's overlaps its first link, and the friction stops the first joint."""
        model = self.sim.model._model
        for geom in range(model.ngeom):
            if model.geom(geom).name in {"robot0_base_col", "robot0_pedestal_col"}:
                model.geom_contype[geom] = model.geom_conaffinity[geom] = 0

    def _tilt_wrist_camera(self) -> None:
        """Turn the wrist camera towards the fingertips, so that what is held and what is below it show together."""
        model = self.sim.model._model
        camera = model.camera(WRIST_CAMERA).id
        tilt = np.array([np.cos(WRIST_TILT_RAD / 2), np.sin(WRIST_TILT_RAD / 2), 0.0, 0.0])
        nominal = model.cam_quat[camera].copy()
        mujoco.mju_mulQuat(model.cam_quat[camera], nominal, tilt)

    def _setup_observables(self) -> OrderedDict[str, Any]:
        return OrderedDict()

    def _check_success(self) -> bool:
        return False

    @property
    def mj_model(self) -> mujoco.MjModel:
        """The compiled MuJoCo model."""
        return self.sim.model._model

    @property
    def mj_data(self) -> mujoco.MjData:
        """The MuJoCo state."""
        return self.sim.data._data


def _controller_config(robot: str) -> dict[str, Any]:
    config = load_composite_controller_config(controller="BASIC", robot=robot)
    arm = config["body_parts"]["right"] if "right" in config["body_parts"] else config["body_parts"]["arms"]["right"]
    arm.update(
        type="OSC_POSE",
        input_type="delta",
        input_ref_frame="base",
        kp=200,
        damping_ratio=1,
        input_max=1,
        input_min=-1,
        output_max=[0.05, 0.05, 0.05, 0.5, 0.5, 0.5],
        output_min=[-0.05, -0.05, -0.05, -0.5, -0.5, -0.5],
    )
    return config


def _look_at(position: list[float], target: list[float]) -> list[float]:
    """Quaternion (w, x, y, z) of a MuJoCo camera at `position` that looks at `target`, up is +z."""
    backward = np.array(position, dtype=float) - np.array(target, dtype=float)
    backward /= np.linalg.norm(backward)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(backward, right), backward], axis=1)
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, rotation.flatten())
    return [float(value) for value in quaternion]


def _add_table_materials(arena: TableArena) -> None:
    """Put the table surfaces of the `texture` perturbation into the model; a reset switches between them."""
    for name in TABLE_TEXTURES:
        file = xml_path_completion(f"textures/{name}.png")
        arena.asset.append(ET.Element("texture", {"name": f"tex-table-{name}", "type": "cube", "file": file}))
        arena.asset.append(
            ET.Element(
                "material",
                {
                    "name": f"table-{name}",
                    "texture": f"tex-table-{name}",
                    "specular": "0.2",
                    "texrepeat": "1 1",
                    "reflectance": "0",
                    "shininess": "0",
                },
            )
        )


def _with_lights(xml: str) -> str:
    """Replace the arena's single light by a key and a fill light, without shadows as in robosuite's arenas."""
    lights = (
        '<light name="key" pos="0.6 0.5 2.2" dir="-0.3 -0.25 -1" directional="true" castshadow="false" '
        'diffuse="0.5 0.5 0.5" specular="0.2 0.2 0.2" ambient="0.1 0.1 0.1"/>'
        '<light name="fill" pos="-0.8 -0.8 2.0" dir="0.4 0.4 -1" directional="true" castshadow="false" '
        'diffuse="0.2 0.2 0.2" specular="0 0 0"/>'
    )
    xml = re.sub(r"<light [^>]*/>", "", xml)
    return xml.replace("<worldbody>", "<worldbody>" + lights, 1)
