"""The world of a simulator node from its parameters."""

from __future__ import annotations

from world2act.errors import ConfigurationError
from world2act.parameters import Parameter, ParameterValues
from world2act_sim.fixtures import FIXTURES, FixtureName
from world2act_sim.world import TabletopWorld, WorldConfig

ROBOT = Parameter("robot", "Panda", "The arm, by robosuite's name")
IMAGE_SIZE = Parameter("image_size", 128, "Side of the square pictures", "px", 16, 1024)
FIXTURES_PARAMETER = Parameter(
    "fixtures", "", "What is fixed to the table besides bin and plate: drawer, button, or both (by a space)"
)
SEED = Parameter("seed", 0, "Seed of the episode that is there at the start", "", 0, 2**31 - 1)


def wanted_fixtures(values: ParameterValues) -> tuple[FixtureName, ...]:
    """The parameter `fixtures`; ConfigurationError when it names what there is not."""
    asked = values.text("fixtures").split()
    unknown = [name for name in asked if name not in FIXTURES]
    if unknown:
        raise ConfigurationError(
            f"parameter fixtures names {unknown[0]!r}", f"use some of: {', '.join(FIXTURES)}, separated by a space"
        )
    return tuple(name for name in FIXTURES if name in asked)


def build_world(config: WorldConfig) -> TabletopWorld:
    """The world; ConfigurationError when it cannot be built."""
    try:
        return TabletopWorld(config)
    except Exception as error:  # whatever robosuite and MuJoCo raise
        raise world_not_built(config.robot, error) from error


def world_not_built(robot: str, error: Exception) -> ConfigurationError:
    """What to say when the world or its first picture fails."""
    return ConfigurationError(
        f"the simulated world with robot {robot!r} cannot be built: {type(error).__name__}: {error}",
        "run `world2act doctor`; for rendering on a machine without a display set MUJOCO_GL=egl or osmesa",
    )
