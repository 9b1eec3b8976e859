"""What the parts of a robot profile are made of: strict models, boxes, offsets, topics, files beside the profile."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

ROBOSUITE = "robosuite:"
"""Begins the reference to an arm of the robosuite wheel, in place of a file."""

FOLDER = "folder"
"""Key of the validation context: the folder that relative files of a profile are looked up in."""


class ProfileModel(BaseModel):
    """Frozen, and a field that is not known is an error: a misspelt limit must not become a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Topic = Annotated[str, Field(pattern=r"^~?/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z0-9_]+)*$")]
Point = tuple[float, float, float]


class Box(ProfileModel):
    """A box along the axes of the base frame."""

    low: Point = Field(description="Lowest corner, x y z in the base frame [m]")
    high: Point = Field(description="Highest corner, x y z in the base frame [m]")

    @model_validator(mode="after")
    def _has_a_volume(self) -> Self:
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError(f"every number of low {list(self.low)} must be below that of high {list(self.high)}")
        return self


class KeepOutBox(Box):
    """A box that neither end effector nor elbow may enter."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="What is there; named when the box stops the arm")


class Offset(ProfileModel):
    """A pose in the frame of a body."""

    position: Point = Field(default=(0.0, 0.0, 0.0), description="x y z [m]")
    quaternion: tuple[float, float, float, float] = Field(
        default=(0.0, 0.0, 0.0, 1.0), description="x y z w, unit length"
    )

    @model_validator(mode="after")
    def _is_a_rotation(self) -> Self:
        length = math.hypot(*self.quaternion)
        if abs(length - 1.0) > 1e-3:
            raise ValueError(f"quaternion {list(self.quaternion)} has length {length:.4f}: give x y z w of unit length")
        return self


def _beside_the_profile(value: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get(FOLDER)
    if folder is None or Path(value).is_absolute() or value.startswith(ROBOSUITE):
        return value
    return str(Path(folder) / value)


ProfilePath = Annotated[str, Field(min_length=1), AfterValidator(_beside_the_profile)]
"""A file, relative to the profile's own folder; absolute after loading."""
