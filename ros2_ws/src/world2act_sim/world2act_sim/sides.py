"""The sides of the table, to which objects are pushed, and the layout of a table with fixtures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from world2act_sim.placement import Area

if TYPE_CHECKING:
    from world2act_core.skill import Skill

SIDE_LINE_M = 0.09
"""`push`: the object's middle is at least this far on that side of the table's middle line (see `Scene.satisfied`)."""
SIDES: dict[str, float] = {"left": 1.0, "right": -1.0}
"""Name -> sign of y, as the robot sees it."""
_START_Y_M = 0.095
"""An object to be pushed starts between the middle line and this far on the other side."""


@dataclass(frozen=True)
class Layout:
    """Where things stand. area: of the objects; container_x: middle and spread of each container's x, metres."""

    area: Area
    container_x: dict[str, tuple[float, float]]


PLAIN_LAYOUT = Layout(Area(), {"bin": (-0.02, 0.04), "plate": (-0.02, 0.04)})
FIXTURE_LAYOUT = Layout(Area(x=(-0.20, 0.02)), {"bin": (-0.10, 0.02), "plate": (-0.04, 0.04)})
"""The bin makes room for the drawer beside it; drawer and button stand beyond the objects."""


def side_positions(height: float) -> dict[str, NDArray[np.float64]]:
    """The point on the table (at `height`) that stands for each side, world frame, metres."""
    middle = sum(FIXTURE_LAYOUT.area.x) / 2.0
    return {name: np.array([middle, sign * (SIDE_LINE_M + 0.02), height]) for name, sign in SIDES.items()}


def start_areas(skills: Sequence[Skill]) -> dict[str, Area]:
    """Objects to be pushed -> where they start: on the other side."""
    areas: dict[str, Area] = {}
    for skill in skills:
        if skill.kind == "push" and skill.target not in areas:
            across = -SIDES[skill.support or ""] * _START_Y_M
            areas[skill.target] = Area(FIXTURE_LAYOUT.area.x, (min(across, 0.0), max(across, 0.0)))
    return areas
