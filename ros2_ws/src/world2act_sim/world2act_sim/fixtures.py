"""The drawer and the button: where they stand, how far they are open or pressed, and what counts as such.

They are an option of the world (`WorldConfig.fixtures`); without it the compiled model knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Literal, get_args

import mujoco
import numpy as np
from numpy.typing import NDArray
from robosuite.models.objects import MujocoObject, MujocoXMLObject

if TYPE_CHECKING:
    from world2act_core.skill import Skill
    from world2act_sim.gripper import GripperState

FixtureName = Literal["drawer", "button"]
FIXTURES: tuple[FixtureName, ...] = get_args(FixtureName)

DRAWER_TRAVEL_M = 0.11
DRAWER_OPEN_M = 0.085
"""`open`: the drawer is out at least this far, stands still, and the gripper does not touch it."""
DRAWER_CLOSED_M = 0.012
"""`close`: the drawer is out at most this far, stands still, and the gripper does not touch it."""
DRAWER_STILL_M_PER_S = 0.03
BUTTON_PRESSED_M = 0.006
"""`press`: the cap is down at least this far (it springs back when it is let go)."""

_DRAWER_XY_M = ((0.095, 0.275), (0.135, 0.295))
_BUTTON_XY_M = ((0.085, -0.13), (0.125, -0.02))
"""Lowest and highest position of the fixture's middle, world frame."""


class FixtureError(ValueError):
    """A task needs a fixture that the world was made without."""


def build_fixture(name: FixtureName) -> MujocoObject:
    """Make a fixture for the model; its pose is set in the model at each reset."""
    path = resources.files("world2act_sim") / "assets" / f"{name}.xml"
    return MujocoXMLObject(str(path), name=name, joints=None, obj_type="all", duplicate_collision_geoms=True)


class Drawer:
    """A drawer that slides towards -y (the robot's right). Positions in the world frame, metres."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._cabinet = model.body("drawer_main").id
        tray = model.body("drawer_tray").id
        joint = model.joint("drawer_slide").id
        self._qpos, self._qvel = int(model.jnt_qposadr[joint]), int(model.jnt_dofadr[joint])
        self._handle = model.geom("drawer_handle").id
        self.handle_geoms = np.array([self._handle])
        self.geoms = np.flatnonzero((model.geom_bodyid == tray) & (model.geom_group == 0))
        self.handle_half_extents: NDArray[np.float64] = model.geom_size[self._handle].copy()

    def arrange(self, data: mujoco.MjData, rng: np.random.Generator, height: float, begin_open: bool) -> None:
        """Stand it somewhere in its corner of the table, closed or open."""
        self._model.body_pos[self._cabinet] = [*rng.uniform(*_DRAWER_XY_M), height]
        data.qpos[self._qpos] = rng.uniform(0.095, DRAWER_TRAVEL_M) if begin_open else 0.0
        data.qvel[self._qvel] = 0.0

    def opening(self, data: mujoco.MjData) -> float:
        """How far it is out, 0 to DRAWER_TRAVEL_M."""
        return float(data.qpos[self._qpos])

    def handle(self, data: mujoco.MjData) -> NDArray[np.float64]:
        """Middle of the handle."""
        return np.array(data.geom_xpos[self._handle])

    def still(self, data: mujoco.MjData) -> bool:
        """Whether it does not move."""
        return abs(float(data.qvel[self._qvel])) < DRAWER_STILL_M_PER_S


class Button:
    """A button to be pressed from above. Positions in the world frame, metres."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._base = model.body("button_main").id
        joint = model.joint("button_spring").id
        self._qpos, self._qvel = int(model.jnt_qposadr[joint]), int(model.jnt_dofadr[joint])
        self._cap = model.geom("button_cap").id
        self._half_height = float(model.geom_size[self._cap][1])

    def arrange(self, data: mujoco.MjData, rng: np.random.Generator, height: float) -> None:
        """Stand it somewhere in its part of the table, released."""
        self._model.body_pos[self._base] = [*rng.uniform(*_BUTTON_XY_M), height]
        data.qpos[self._qpos] = data.qvel[self._qvel] = 0.0

    def depth(self, data: mujoco.MjData) -> float:
        """How far the cap is down."""
        return -float(data.qpos[self._qpos])

    def top(self, data: mujoco.MjData) -> NDArray[np.float64]:
        """Middle of the cap's upper face, wherever it is now."""
        return data.geom_xpos[self._cap] + np.array([0.0, 0.0, self._half_height])


class Fixtures:
    """The fixtures of one model. drawer, button: None where the world has none."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, names: Sequence[FixtureName]) -> None:
        self._data = data
        self.drawer = Drawer(model) if "drawer" in names else None
        self.button = Button(model) if "button" in names else None

    def arrange(self, rng: np.random.Generator, height: float, skills: Sequence[Skill]) -> None:
        """Put them on the table (at `height`); the drawer is closed unless the first skill on it closes it."""
        if self.drawer is not None:
            uses = [skill.kind for skill in skills if skill.target == "drawer"]
            self.drawer.arrange(self._data, rng, height, begin_open=uses[:1] == ["close"])
        if self.button is not None:
            self.button.arrange(self._data, rng, height)

    def positions(self) -> dict[str, NDArray[np.float64]]:
        """Where each is touched: the drawer's handle, the top of the button's cap."""
        found = {}
        if self.drawer is not None:
            found["drawer"] = self.drawer.handle(self._data)
        if self.button is not None:
            found["button"] = self.button.top(self._data)
        return found

    def satisfied(self, skill: Skill, gripper: GripperState) -> bool:
        """Whether the condition of an `open`, `close` or `press` holds now; False without the fixture."""
        if skill.kind == "press":
            return self.button is not None and self.button.depth(self._data) >= BUTTON_PRESSED_M
        drawer = self.drawer
        if drawer is None or not drawer.still(self._data) or gripper.touches(self._data, drawer.geoms):
            return False
        opening = drawer.opening(self._data)
        return opening >= DRAWER_OPEN_M if skill.kind == "open" else opening <= DRAWER_CLOSED_M
