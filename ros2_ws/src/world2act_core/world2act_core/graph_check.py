"""Does a graph take and give what its contract says? Asked when it is loaded, not at the first inference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from world2act_core.contract import Contract
from world2act_core.engine import Engine, EngineError, TensorSpec

Expected = tuple[Literal["input", "output"], TensorSpec]


def check_graph(engine: Engine, expected: list[Expected], path: str) -> None:
    """Raise EngineError, listing every input or output (batch 1) that is missing, unknown or of another shape."""
    problems = []
    for role, want in expected:
        have = (engine.inputs if role == "input" else engine.outputs).get(want.name)
        if have is None:
            problems.append(f"{role} '{want.name}' is missing")
        elif have.dtype != want.dtype or not have.accepts(tuple(size or 0 for size in want.shape)):
            problems.append(f"{role} should take {want}, the graph has {have}")
    extra = set(engine.inputs) - {want.name for role, want in expected if role == "input"}
    problems += [f"unknown input '{name}'" for name in sorted(extra)]
    if problems:
        raise EngineError(f"{path} does not fit its contract: {'; '.join(problems)}")


def observation_specs(contract: Contract) -> Iterator[Expected]:
    """Pictures and state, as every graph takes them."""
    for camera in contract.cameras:
        yield "input", TensorSpec(f"image_{camera.name}", "uint8", (1, camera.height, camera.width, 3))
    yield "input", TensorSpec("state", "float32", (1, contract.state_size))
