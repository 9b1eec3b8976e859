"""The recorder's parameters."""

from __future__ import annotations

from world2act.bundle_access import BUNDLE_PARAMETER
from world2act.cameras.sources import CAMERAS_PARAMETER
from world2act.parameters import Parameter, ParameterValues
from world2act.recording.thread import Limits
from world2act.robot_state import JOINT_STATES_PARAMETER

MIB = 1 << 20

RECORDER_PARAMETERS = (
    BUNDLE_PARAMETER,
    Parameter("folder", "runs/recordings", "Where recordings go; it is made if need be"),
    Parameter(
        "episodes",
        "automatic",
        "automatic: each accepted instruction is an episode; manual: only START and STOP of the service `record`",
        choices=("automatic", "manual"),
    ),
    Parameter("pictures", False, "Whether the cameras' own topics are recorded too; Observation is in any case"),
    CAMERAS_PARAMETER,
    Parameter("extra_topics", ("",), 'Further topics, as "name type" each: "/tf tf2_msgs/msg/TFMessage"'),
    JOINT_STATES_PARAMETER,
    Parameter("robot_profile", "", "Text of the robot's profile (YAML), kept in every recording"),
    Parameter("compression", "lz4", "Of the file's chunks", choices=("none", "lz4", "zstd")),
    Parameter("postroll", 1.0, "An episode goes on for this long after its last skill", "s", 0.0, 60.0),
    Parameter("max_episode", 600.0, "A longer episode is ended", "s", 1.0, 86400.0),
    Parameter("planner_timeout", 30.0, "Without word from the planner an episode ends", "s", 1.0, 3600.0),
    Parameter("flush_period", 1.0, "No more than this is lost when the process is killed", "s", 0.05, 60.0),
    Parameter("queue_size", 64, "Messages that wait for the disk; more are dropped and counted", "MiB", 1, 65536),
    Parameter(
        "min_free",
        512,
        "Nothing is begun with less free disk; what is under way ends, whole, at half of it",
        "MiB",
        0,
        2**31 - 1,
    ),
    Parameter("buffer_seconds", 60.0, "Kept in memory, and saved when a fault comes; 0: none", "s", 0.0, 3600.0),
    Parameter("buffer_size", 256, "No more than this of it", "MiB", 1, 65536),
    Parameter("buffer_files", 20, "A fault saves nothing when so many are there; a request does", "", 0, 100_000),
)


def limits_of(values: ParameterValues) -> Limits:
    """What the writing thread has to keep to."""
    return Limits(values.integer("queue_size") * MIB, values.integer("min_free") * MIB, values.number("flush_period"))
