"""A Dockerfile as a list of instructions: as much of its syntax as ours uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction. stage: its target, "" before the first; text: what follows, on one or more lines."""

    stage: str
    keyword: str
    text: str
    line: int


def read_dockerfile(path: Path) -> list[Instruction]:
    """Every instruction of the file, continuation lines joined and comments left out."""
    found: list[Instruction] = []
    stage, begun, parts = "", 0, []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        begun = begun if parts else number
        parts.append(line)
        if line.endswith("\\"):
            continue
        keyword, _, text = "\n".join(parts).strip().partition(" ")
        if keyword == "FROM":
            stage = re.search(r" AS (\w+)$", text)[1]
        found.append(Instruction(stage, keyword, text.strip(), begun))
        parts = []
    assert not parts, f"{path} ends in the middle of an instruction"
    return found
