"""One world per test session: building a model takes two seconds, a reset takes none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from world2act_sim.world import TabletopWorld, WorldConfig


@pytest.fixture(scope="session")
def world() -> Iterator[TabletopWorld]:
    """A Panda at the table, rendering fast pictures of 64 pixels."""
    built = TabletopWorld(WorldConfig(image_size=64))
    yield built
    built.close()


@pytest.fixture(scope="session")
def fixture_world() -> Iterator[TabletopWorld]:
    """A Panda at the table with drawer and button, without pictures."""
    built = TabletopWorld(WorldConfig(render="none", fixtures=("drawer", "button")))
    yield built
    built.close()
