"""`ros2 launch` of a supervised graph: one process, `world2act up`, that starts, watches, restarts and ends nodes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from world2act.graph import GraphKind

SUPERVISE: Final = "supervise"
SUPERVISE_ARGUMENT: Final = (
    "true",
    "true: as `world2act up`, which starts lost nodes again and lets the arm go in a safe order; false: one launch "
    "action per node, for launch files that include this one and change nodes (nothing is started again then)",
)
SAFE_STOP_S: Final = 20
"""After Ctrl-C the arm comes to rest and the recorder finishes its episode before launch may use stronger signals."""
_FLAGS = frozenset({"lockstep"})


def up_command(kind: GraphKind, chosen: Mapping[str, str]) -> list[str]:
    """`world2act up` with the values of launch arguments, which have the names of its options."""
    command = [sys.executable, "-m", "world2act.cli.main", "up", kind]
    for name, value in chosen.items():
        option = f"--{name.replace('_', '-')}"
        if name in _FLAGS:
            command += [option] if is_true(value) else []
        elif name != SUPERVISE and value:
            command += [option, value]
    return command


def supervised_actions(kind: GraphKind, chosen: Mapping[str, str]) -> list[Any]:
    """The launch actions: one process."""
    from launch.actions import ExecuteProcess

    patience = str(SAFE_STOP_S)
    command = up_command(kind, chosen)
    return [ExecuteProcess(cmd=command, output="both", sigterm_timeout=patience, sigkill_timeout=patience)]


def is_true(text: str) -> bool:
    """Whether a launch argument says yes."""
    return text.lower() in ("1", "true", "yes")
