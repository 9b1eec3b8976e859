"""Thresholds of the safety filter, and how strict each check is."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from world2act_core.safety.checks import BY_NAME
from world2act_core.safety.types import Reaction

Point = tuple[float, float, float]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SafetyBox(_Model):
    """A box with faces along the base frame's axes: corners low and high, m."""

    low: Point
    high: Point

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError(f"box: every low must be below its high, got {self.low} and {self.high}")
        return self


class KeepOut(SafetyBox):
    """A box that end effector and elbow stay out of."""

    name: str = Field(min_length=1)


class CheckOverride(_Model):
    """A stricter reaction, or another latching, for one check; None: as it is."""

    reaction: Literal["clip", "slow_down", "hold", "stop"] | None = None
    latched: bool | None = None


class SafetySettings(_Model):
    """Everything that can be set about the filter; joint limits come from the robot's profile.

    Raises pydantic's ValidationError, a ValueError that names field and value, for what makes no sense, and for an
    attempt to switch a check off or to make it milder than it may be.
    """

    speed_scale: float = Field(default=1.0, gt=0, le=1, description="Share of the joints' velocities that is allowed")
    max_eef_speed: float = Field(default=0.25, gt=0, le=3, description="Largest speed of the end effector [m/s]")
    slow_scale: float = Field(default=0.25, gt=0, le=1, description="Further share while a check reacts with slow_down")
    tracking_hz: float = Field(
        default=8.0, gt=0.1, le=50, description="Bandwidth with which the reference is followed [Hz]"
    )
    nominal_period_s: float = Field(
        default=0.01, gt=0, le=0.05, description="Period taken when the given one is unusable [s]"
    )
    max_period_s: float = Field(
        default=0.05, gt=0, le=0.1, description="Longest motion that one command may stand for [s]"
    )

    workspace: SafetyBox | None = Field(default=None, description="Where the end effector may be; None: anywhere")
    elbow: SafetyBox | None = Field(default=None, description="Where the elbow may be; None: anywhere")
    keep_out: tuple[KeepOut, ...] = Field(default=(), description="Boxes that neither end effector nor elbow may enter")
    geometry_margin_m: float = Field(default=0.005, gt=0, le=0.1, description="Distance kept from every such face [m]")
    clearance_margin_m: float = Field(
        default=0.01, ge=0.001, le=0.2, description="Kept between parts of the arm, and from the table [m]"
    )
    reach_m: float = Field(
        default=1.5, gt=0, le=5, description="No point of the arm is farther from a joint's axis [m]"
    )

    start_jump_rad: float = Field(
        default=0.1, gt=0, le=0.5, description="First reference this near the measured pose [rad]"
    )
    jump_rad: float = Field(default=0.3, gt=0, le=3, description="Largest step between two references [rad]")
    tracking_error_rad: float = Field(
        default=0.3, gt=0, le=1, description="Measured this near the commanded pose [rad]"
    )
    limit_slack_rad: float = Field(
        default=0.05, ge=0, le=0.2, description="A start this far outside the limits is allowed [rad]"
    )
    stale_observation_s: float = Field(default=0.25, gt=0, le=5, description="An older observation is not acted on [s]")
    stale_chunk_s: float = Field(default=0.8, gt=0, le=10, description="An older chunk is not executed [s]")
    stale_state_s: float = Field(default=0.1, gt=0, le=1, description="Older joint states count as lost [s]")
    gripper_toggle_s: float = Field(
        default=0.5, ge=0, le=10, description="Shortest time between opening and closing [s]"
    )

    overrides: dict[str, CheckOverride] = Field(default={}, description="Stricter reactions, by name of check")

    @model_validator(mode="after")
    def _overrides_are_allowed(self) -> Self:
        for name, override in self.overrides.items():
            try:
                check_override(name, override)
            except ValueError as error:
                raise ValueError(f"overrides: {error}") from error
        return self

    @model_validator(mode="after")
    def _boxes_have_names_of_their_own(self) -> Self:
        names = [box.name for box in self.keep_out]
        if len(set(names)) < len(names):
            raise ValueError(f"keep_out: every box needs a name of its own, got {names}")
        return self

    def reaction(self, name: str) -> Reaction:
        """The configured reaction of a check."""
        override = self.overrides.get(name)
        return Reaction(override.reaction) if override and override.reaction else BY_NAME[name].reaction

    def latches(self, name: str) -> bool:
        """Whether a check's reaction goes on until it is cleared; what stops the arm always does."""
        override = self.overrides.get(name)
        latched = BY_NAME[name].latched if override is None or override.latched is None else override.latched
        return latched or self.reaction(name) is Reaction.STOP


def check_override(name: str, override: CheckOverride) -> None:
    """Raises ValueError, saying what is allowed: there is no check `name`, or it must not be that mild."""
    if name not in BY_NAME:
        raise ValueError(f"there is no check {name!r}; choose from {', '.join(BY_NAME)}")
    spec = BY_NAME[name]
    if override.reaction is not None and Reaction(override.reaction).severity < spec.least.severity:
        allowed = [str(reaction) for reaction in Reaction if reaction.severity >= spec.least.severity]
        raise ValueError(f"{name} cannot react with {override.reaction!r}; choose from {', '.join(allowed)}")
    if override.latched is False and Reaction(override.reaction or spec.reaction) is Reaction.STOP:
        raise ValueError(f"{name} stops the arm, so it is always latched; leave `latched` out")
