"""The interfaces: every field is explained, and the named error codes are the ones the planner can produce."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "ros2_ws/src/world2act_interfaces"
FILES = sorted(path for kind in ("msg", "srv", "action") for path in (FOLDER / kind).iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_field_has_a_comment(path: Path) -> None:
    """A field is explained by the comment above it or by the one above the group of lines it stands in."""
    explained = False
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.startswith("#"):
            explained = True
        elif not line or line == "---":
            explained = False
        elif not re.search(r"^\w+ \w+=", line):  # constants explain themselves
            assert explained, f"{path.name}:{number}: {line!r} needs a comment with its unit, frame or range"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_interface_is_built(path: Path) -> None:
    assert f'"{path.parent.name}/{path.name}"' in (FOLDER / "CMakeLists.txt").read_text()


def test_error_codes_are_distinct_and_cover_the_planner() -> None:
    from world2act_interfaces.action import ExecuteInstruction

    text = (FOLDER / "action/ExecuteInstruction.action").read_text()
    codes = {name: int(value) for name, value in re.findall(r"^uint16 ([A-Z_]+)=(\d+)", text, flags=re.M)}
    assert len(set(codes.values())) == len(codes)
    assert {name: getattr(ExecuteInstruction.Result, name) for name in codes} == codes
    refusals = {"EMPTY_INSTRUCTION", "INSTRUCTION_TOO_LONG", "UNKNOWN_OBJECT", "UNKNOWN_SKILL", "AMBIGUOUS"}
    assert refusals | {"TOO_MANY_SKILLS", "SKILL_TIMEOUT", "CANCELED", "STALE_OBSERVATION", "INTERNAL"} <= set(codes)
