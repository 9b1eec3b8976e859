"""The contract: what a policy sees and does, as one YAML file read by everyone with these models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from world2act_core.files import atomic_write_text
from world2act_core.types import FloatArray
from world2act_core.vocabulary import Vocabulary

Unit = Literal["m", "rad", "m/s", "rad/s", "N", "1"]
Frame = Literal["base", "eef", "joint", "none"]
Representation = Literal["position", "axis_angle", "rotation_6d", "quaternion_xyzw", "joint_angle", "width", "gripper"]

_SIZE_OF_REPRESENTATION = {"position": 3, "axis_angle": 3, "rotation_6d": 6, "quaternion_xyzw": 4}


class ContractError(ValueError):
    """A contract that cannot be read or contradicts itself; the message says where."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, int | float) else value


Limit = Annotated[tuple[float, ...], BeforeValidator(_as_tuple)]


class CameraSpec(_Model):
    """One camera as the policy wants it.

    crop: (x, y, width, height) as fractions of the source picture in [0, 1], cut out before resizing; None: all of it.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    view: Literal["scene", "wrist"]
    width: int = Field(gt=0, le=4096)
    height: int = Field(gt=0, le=4096)
    channel_order: Literal["rgb", "bgr"] = "rgb"
    crop: tuple[float, float, float, float] | None = None

    @model_validator(mode="after")
    def _crop_is_inside(self) -> Self:
        if self.crop is not None:
            x, y, w, h = self.crop
            if min(x, y) < 0 or min(w, h) <= 0 or x + w > 1 + 1e-9 or y + h > 1 + 1e-9:
                raise ValueError(f"camera '{self.name}': crop {self.crop} must lie within [0, 1] (fractions, x y w h)")
        return self


class _Dim(_Model):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    size: int = Field(gt=0)
    unit: Unit
    frame: Frame = "base"
    representation: Representation

    @model_validator(mode="after")
    def _size_fits_representation(self) -> Self:
        size = _SIZE_OF_REPRESENTATION.get(self.representation, self.size)
        if size != self.size:
            raise ValueError(f"'{self.name}': {self.representation} has size {size}, got {self.size}")
        return self


class StateDim(_Dim):
    """Consecutive entries of the state vector that belong together."""


class ActionDim(_Dim):
    """Consecutive entries of the action vector; low and high: limits per entry (one number stands for all)."""

    mode: Literal["delta", "absolute"]
    low: Limit
    high: Limit

    @model_validator(mode="before")
    @classmethod
    def _spread_limits(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("size"), int):
            return data
        spread = dict(data)
        for side in ("low", "high"):
            value = _as_tuple(spread.get(side))
            if isinstance(value, list | tuple) and len(value) == 1:
                spread[side] = tuple(value) * data["size"]
        return spread

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        if len(self.low) != self.size or len(self.high) != self.size:
            raise ValueError(f"'{self.name}': low and high need {self.size} numbers each")
        pairs = zip(self.low, self.high, strict=True)
        if not all(np.isfinite(low) and np.isfinite(high) and low < high for low, high in pairs):
            raise ValueError(f"'{self.name}': every low must be finite and below its high")
        return self


class TextEncoderSpec(_Model):
    """The sentence encoder whose embeddings [dim] the policy was trained on."""

    name: str
    dim: int = Field(gt=0)


class Contract(_Model):
    """Everything that must agree between data set, training, bundle, simulator and robot.

    hold: what the arm does when no fresh action arrives. `hold_position`: the last arm target is repeated and the
    gripper keeps its command.
    """

    schema_version: Literal[1] = 1
    robot: str = Field(min_length=1)
    cameras: tuple[CameraSpec, ...] = Field(min_length=1)
    state: tuple[StateDim, ...] = Field(min_length=1)
    action: tuple[ActionDim, ...] = Field(min_length=1)
    control_hz: float = Field(gt=0)
    observation_hz: float = Field(gt=0)
    chunk_length: int = Field(gt=0)
    execute_steps: int = Field(gt=0)
    hold: Literal["hold_position"] = "hold_position"
    vocabulary: Vocabulary
    text_encoder: TextEncoderSpec

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.execute_steps > self.chunk_length:
            raise ValueError(f"execute_steps {self.execute_steps} exceeds chunk_length {self.chunk_length}")
        for part, items in (("cameras", self.cameras), ("state", self.state), ("action", self.action)):
            names = [item.name for item in items]
            if len(set(names)) != len(names):
                raise ValueError(f"{part}: names appear twice: {names}")
        return self

    @property
    def state_size(self) -> int:
        """Length S of the state vector."""
        return sum(dim.size for dim in self.state)

    @property
    def action_size(self) -> int:
        """Length A of the action vector."""
        return sum(dim.size for dim in self.action)

    @property
    def action_low(self) -> FloatArray:
        """Smallest allowed action, float32 [A]."""
        return np.array([value for dim in self.action for value in dim.low], dtype=np.float32)

    @property
    def action_high(self) -> FloatArray:
        """Largest allowed action, float32 [A]."""
        return np.array([value for dim in self.action for value in dim.high], dtype=np.float32)

    @property
    def step_s(self) -> float:
        """Duration of one action, s."""
        return 1.0 / self.control_hz

    def camera(self, name: str) -> CameraSpec:
        """The camera called `name`; ContractError when there is none."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise ContractError(f"no camera '{name}'; the contract has: {', '.join(item.name for item in self.cameras)}")

    def state_slice(self, name: str) -> slice:
        """Where the state dimension `name` is in the state vector; ContractError when there is none."""
        return _slice_of(self.state, name, "state dimension")

    def action_slice(self, name: str) -> slice:
        """Where the action dimension `name` is in the action vector; ContractError when there is none."""
        return _slice_of(self.action, name, "action dimension")

    def to_text(self) -> str:
        """The contract as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)

    def to_yaml(self, path: str | Path) -> None:
        """Write the contract as YAML, whole or not at all."""
        atomic_write_text(path, self.to_text())

    @classmethod
    def from_text(cls, text: str, source: str = "contract") -> Contract:
        """Read YAML text; ContractError names `source` and every field that is wrong."""
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ContractError(f"{source}: not valid YAML: {error}") from error
        if not isinstance(data, dict):
            raise ContractError(f"{source}: expected a mapping of fields, got {type(data).__name__}")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ContractError(f"{source}: {describe_validation_error(error)}") from error

    @classmethod
    def from_yaml(cls, path: str | Path) -> Contract:
        """Read a contract file; ContractError names the path when it is missing or wrong."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ContractError(f"cannot read contract {path}: {error}") from error
        return cls.from_text(text, source=str(path))


def describe_validation_error(error: ValidationError) -> str:
    """One line per wrong field: where it is and what is wrong with it."""
    lines = [f"{'.'.join(str(part) for part in item['loc']) or 'file'}: {item['msg']}" for item in error.errors()]
    return "; ".join(lines)


def _slice_of(dims: tuple[StateDim, ...] | tuple[ActionDim, ...], name: str, what: str) -> slice:
    start = 0
    for dim in dims:
        if dim.name == name:
            return slice(start, start + dim.size)
        start += dim.size
    raise ContractError(f"no {what} '{name}'; the contract has: {', '.join(dim.name for dim in dims)}")
