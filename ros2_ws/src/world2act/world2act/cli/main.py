"""The `world2act` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import tyro
from rich.console import Console

from world2act.cli.clear import Clear
from world2act.cli.demo import Demo
from world2act.cli.do import Do
from world2act.cli.doctor import Doctor
from world2act.cli.evaluate import Evaluate
from world2act.cli.faults import Faults
from world2act.cli.foxglove import Foxglove
from world2act.cli.monitor import Monitor
from world2act.cli.motion import Motion
from world2act.cli.paired_success import PairedSuccess
from world2act.cli.recordings import Recordings
from world2act.cli.replay import Replay
from world2act.cli.reset import Reset
from world2act.cli.security import Security
from world2act.cli.set import Set
from world2act.cli.soak import Soak
from world2act.cli.up import Up
from world2act.errors import ConfigurationError, GraphError
from world2act.supervision.interrupts import EXIT_INTERRUPTED, raise_on_signals
from world2act_core.contract import ContractError
from world2act_core.engine import EngineError
from world2act_core.files import StorageError
from world2act_core.manifest import BundleError
from world2act_core.recording.layout import RecordingError
from world2act_core.robot.profile import ProfileError

Command = (
    Annotated[Up, tyro.conf.subcommand("up")]
    | Annotated[Do, tyro.conf.subcommand("do")]
    | Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Reset, tyro.conf.subcommand("reset")]
    | Annotated[Set, tyro.conf.subcommand("set")]
    | Annotated[Monitor, tyro.conf.subcommand("monitor")]
    | Annotated[Motion, tyro.conf.subcommand("motion")]
    | Annotated[PairedSuccess, tyro.conf.subcommand("paired-success")]
    | Annotated[Foxglove, tyro.conf.subcommand("foxglove")]
    | Annotated[Clear, tyro.conf.subcommand("clear")]
    | Annotated[Faults, tyro.conf.subcommand("faults")]
    | Annotated[Soak, tyro.conf.subcommand("soak")]
    | Annotated[Recordings, tyro.conf.subcommand("recordings")]
    | Annotated[Replay, tyro.conf.subcommand("replay")]
    | Annotated[Security, tyro.conf.subcommand("security")]
    | Annotated[Doctor, tyro.conf.subcommand("doctor")]
)

CORE_ERRORS = (BundleError, ContractError, EngineError, ProfileError, RecordingError, StorageError)
"""What the library says about a person's files; like ours, their texts name the file and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `world2act`; returns the exit status."""
    raise_on_signals()
    try:
        command = tyro.cli(
            Command,  # type: ignore[arg-type]
            prog="world2act",
            description="A robot arm that follows instructions, through a ROS 2 graph.",
            args=arguments,
            config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
        )
        return int(command.run())
    except (GraphError, ConfigurationError, *CORE_ERRORS) as error:
        Console(stderr=True).print(str(error), style="red", highlight=False, markup=False)
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
