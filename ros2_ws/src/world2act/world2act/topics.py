"""Names and quality of service of everything the graph exchanges; names are relative, so a namespace moves them all."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

JOINT_STATES = "joint_states"
EEF_POSE = "eef_pose"
OBSERVATION = "observation"
SKILL = "skill"
SKILL_PLAN = "skill_plan"
ACTION_CHUNK = "action_chunk"
ARM_COMMAND = "arm_command"
EPISODE_STATUS = "episode_status"
ROBOT_CONTRACT = "robot_contract"
SAFETY_STATUS = "safety_status"
RECORDER_STATUS = "recorder_status"
COMMAND_REFEREE = "command_referee"
NODE_HEALTH = "node_health"
HEARTBEAT = "heartbeat"
DIAGNOSTICS = "/diagnostics"
CLOCK = "/clock"

EXECUTE_INSTRUCTION = "execute_instruction"
RESET_EPISODE = "reset_episode"
SET_HOLD = "set_hold"
CLEAR_FAULT = "clear_fault"
CLEAR_NODE_LOST = "supervisor/clear_fault"
RECORD = "record"


def image_topic(camera: str) -> str:
    """Topic of one camera's pictures."""
    return f"camera/{camera}/image_raw"


def reliable(depth: int = 10) -> QoSProfile:
    """Nothing may be lost: lockstep, commands, events."""
    return QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)


def latched(depth: int = 1) -> QoSProfile:
    """Reliable, and the last value also reaches those who join later."""
    return QoSProfile(
        depth=depth,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def heartbeat() -> QoSProfile:
    """Many writers, small, often: a lost one is followed by the next. Deep enough for one of every node."""
    return stream(32)


def newest(lockstep: bool) -> QoSProfile:
    """For readers of sensor streams: in real time only the newest sample matters, in lockstep every one does."""
    if lockstep:
        return reliable()
    return stream(1)


def stream(depth: int) -> QoSProfile:
    """For sensor streams from any publisher: room for what comes between two looks; lost is what does not fit."""
    return QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT)
