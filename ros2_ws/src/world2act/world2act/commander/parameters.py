"""Parameters of arm_commander with a robot profile; what the arm itself is and may do is in the profile."""

from __future__ import annotations

from world2act.parameters import Parameter

JOINT_COMMANDER = (
    Parameter(
        "robot",
        "sim_panda",
        "Robot profile: a name (robots/*.yaml) or the path of a YAML file. A threshold below that the node is not "
        "given is the one under the profile's `safety`, if it is there",
    ),
    Parameter("speed", 1.0, "Share of the arm's speed that is allowed", "", 0.01, 1.0),
    Parameter(
        "reduced",
        "first",
        "Whether the end effector is limited to the profile's reduced speed: during the first run with a bundle, always"
        " or never",
        choices=("first", "always", "never"),
    ),
    Parameter("blend", 0.2, "Shortest time that the seam between two chunks takes; 0: it is a jump", "s", 0.0, 2.0),
    Parameter(
        "seam_acceleration",
        4.0,
        "What a seam may add to the motion's own acceleration: about what the joints' limits leave the end effector",
        "m/s^2",
        0.1,
        100.0,
    ),
    Parameter(
        "response",
        14.142,
        "Natural frequency of the arm of the demonstrations (Tabletop's controller: the root of 200); 0: actions are "
        "displacements",
        "rad/s",
        0.0,
        1000.0,
    ),
    Parameter("first_chunk", 3.0, "After a hold, the first chunk may take this long", "s", 0.1, 60.0),
    Parameter("stale_observation", 0.22, "Older observations are not acted on", "s", 0.05, 5.0),
    Parameter(
        "stale_chunk",
        0.9,
        "Out of chunks the arm rests; it is a fault when the newest one is older",
        "s",
        0.05,
        10.0,
    ),
    Parameter("stale_state", 0.06, "Older joint states count as lost", "s", 0.01, 1.0),
    Parameter("gripper_toggle", 0.1, "Shortest time between opening and closing the gripper", "s", 0.0, 10.0),
    Parameter(
        "realtime_priority",
        50,
        "SCHED_FIFO priority of the thread that commands, where the system allows it; 0: none",
        "",
        0,
        99,
    ),
    Parameter("tracking_error", 0.45, "A joint this far from where it was told to be is blocked", "rad", 0.01, 1.0),
    Parameter(
        "peers", ("camera_ingest", "vla_policy", "skill_planner"), "Nodes without whose sign of life the arm holds"
    ),
    Parameter("peer_timeout", 0.1, "A peer that is silent for longer is lost", "s", 0.05, 10.0),
    Parameter(
        "e_stop_heartbeat",
        0.0,
        "The emergency stop must say `false` at least this often, or it counts as pressed; 0: it need not",
        "s",
        0.0,
        5.0,
    ),
)
