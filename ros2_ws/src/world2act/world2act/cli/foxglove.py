"""`world2act foxglove`: a graph that runs, as a live stream for Foxglove."""

from __future__ import annotations

import importlib.util
import ipaddress
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from world2act.cli.options import check_domain
from world2act.errors import GraphError
from world2act.security.enclave import OBSERVER
from world2act.supervision.session import Session, prepare_environment
from world2act.supervision.supervisor import domain_id
from world2act_core.robot.find import find_profile
from world2act_core.robot.parts import StateSpec
from world2act_core.robot.profile import ProfileError


@dataclass(frozen=True)
class Foxglove:
    """Stream a running graph to Foxglove: cameras, frames, joints, chunks as paths, plan, safety flags."""

    host: str = "127.0.0.1"
    """Address to listen on. Anybody who reaches it sees the cameras: there is no password."""
    port: int = 8765
    """Port to listen on; 0 takes a free one."""
    layout: Path | None = None
    """Write the layout for Foxglove to this file and end."""
    cameras: tuple[str, ...] = ("scene", "wrist")
    """Cameras in the layout, by the contract's names; the stream has all of the observations."""
    robot: str = ""
    """Robot profile of the graph, a name or a file: for the topic of its joint states. Default: joint_states."""
    urdf: Path | None = None
    """The robot's URDF file, to be drawn by the layout in the measured pose (desktop application only)."""
    record: Path | None = None
    """Also write the stream to this MCAP file, which must not exist."""
    seconds: float = 0.0
    """End after so many seconds; 0: with Ctrl-C."""
    domain: int | None = None
    """ROS domain of the graph. Default: ROS_DOMAIN_ID, or 0."""

    def run(self) -> int:
        """Returns the exit status."""
        if importlib.util.find_spec("foxglove") is None:
            raise GraphError("foxglove-sdk is not installed: `pip install foxglove-sdk`, or run `make setup`")
        if self.layout is not None:
            return self._write_layout(self.layout)
        if not 0 <= self.port <= 65535:
            raise GraphError(f"--port {self.port} is no port: choose 0 (a free one) to 65535")
        if self.record is not None and self.record.exists():
            raise GraphError(f"--record {self.record} exists already: name a new file")
        joint_states = self._joint_states()
        prepare_environment(check_domain(self.domain))
        console = Console()
        if not _is_local(self.host):
            console.print(
                f"Listening on {self.host}: everybody who reaches this machine sees cameras and robot, without a "
                f"password. 127.0.0.1 and an ssh tunnel are safer.", style="yellow", highlight=False,
            )  # fmt: skip
        self._stream(console, joint_states)
        return 0

    def _joint_states(self) -> str:
        if not self.robot:
            return StateSpec().joint_states
        try:
            return find_profile(self.robot).state.joint_states
        except ProfileError as error:
            raise GraphError(f"--robot {self.robot}: {error}") from error

    def _write_layout(self, path: Path) -> int:
        from world2act.live.foxglove_layout import make_layout
        from world2act_core.files import atomic_write_text

        if self.urdf is not None and not self.urdf.is_file():
            raise GraphError(f"--urdf {self.urdf}: there is no such file")
        atomic_write_text(path, make_layout(self.cameras, self.urdf))
        Console().print(f'Wrote {path}: in Foxglove, open the layouts and choose "Import from file".', markup=False)
        return 0

    def _stream(self, console: Console, joint_states: str) -> None:
        import foxglove

        from world2act.live.foxglove_stream import FoxgloveStream

        context = foxglove.Context()
        writer = foxglove.open_mcap(self.record, context=context) if self.record is not None else None
        try:
            server = foxglove.start_server(name="world2act", host=self.host, port=self.port, context=context)
        except (RuntimeError, OSError) as error:
            raise GraphError(
                f"cannot listen on {self.host}:{self.port}: {error}; choose another --port or --host"
            ) from error
        try:
            with Session("world2act_foxglove", role=OBSERVER) as session:
                console.print(f"Open ws://{self.host}:{server.port} in Foxglove (Ctrl-C ends)", highlight=False)
                stream = FoxgloveStream(session, domain_id(), context, joint_states)
                began_s = time.monotonic()
                while not self.seconds or time.monotonic() - began_s < self.seconds:
                    stream.tick()
        finally:
            server.stop()
            if writer is not None:
                writer.close()


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
