"""`safety` of a robot profile: how strict the safety filter is with this arm."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from world2act_core.robot.fields import Box, ProfileModel
from world2act_core.safety.settings import CheckOverride, check_override


class CheckReaction(ProfileModel):
    """What one check does; what is left out stays as docs/safety.md has it."""

    reaction: Literal["clip", "slow_down", "hold", "stop"] | None = Field(
        default=None, description="What happens when it finds something; a milder one than the check allows is refused"
    )
    latched: bool | None = Field(
        default=None, description="Whether that goes on until it is cleared; what stops the arm always does"
    )


class SafetySpec(ProfileModel):
    """How strict the safety filter is with this arm. Thresholds: empty (null) is the default of arm_commander."""

    reactions: dict[str, CheckReaction] = Field(
        default={}, description="Reactions that differ, by the check's name ([safety](../safety.md)), as in `WORKSPACE`"
    )
    elbow: Box | None = Field(
        default=None, description="Where the elbow (`model.elbow_body`) may be; empty (null): anywhere"
    )
    stale_observation_s: float | None = Field(
        default=None, ge=0.05, le=5, description="Older observations are not acted on [s]"
    )
    stale_chunk_s: float | None = Field(
        default=None, ge=0.05, le=10, description="Out of chunks, it is a fault when the newest one is older [s]"
    )
    stale_state_s: float | None = Field(default=None, ge=0.01, le=1, description="Older joint states count as lost [s]")
    tracking_error_rad: float | None = Field(
        default=None, ge=0.01, le=1, description="A joint this far from where it was told to be is blocked [rad]"
    )
    gripper_toggle_s: float | None = Field(
        default=None, ge=0, le=10, description="Shortest time between opening and closing the gripper [s]"
    )
    first_chunk_s: float | None = Field(
        default=None, ge=0.1, le=60, description="After a hold, the first chunk may take this long [s]"
    )
    peer_timeout_s: float | None = Field(
        default=None, ge=0.05, le=10, description="A node of the graph that is silent for longer is lost [s]"
    )
    e_stop_heartbeat_s: float | None = Field(
        default=None,
        ge=0,
        le=5,
        description="`state.e_stop` must say `false` at least this often, or it counts as pressed; 0: it need not [s]",
    )

    @field_validator("reactions")
    @classmethod
    def _are_allowed(cls, reactions: dict[str, CheckReaction]) -> dict[str, CheckReaction]:
        for name, reaction in reactions.items():
            check_override(name, CheckOverride.model_validate(reaction.model_dump()))
        return reactions
