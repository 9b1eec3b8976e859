"""The processes of a graph: each in a group of its own, ended together, none outliving its supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from world2act.errors import GraphError
from world2act.graph import GraphSpec, NodeSpec

_PR_SET_PDEATHSIG = 1
# Loaded here and not between fork and exec, where other threads' locks may be held for ever.
_LIBC = ctypes.CDLL(None)
STAGES = ((signal.SIGINT, 6.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))
"""How a process is asked to end: signal, and how long it may take [s]. The first lets the arm hold before it goes."""


KILL_S = 10.0
"""A process that is still there so long after SIGKILL is stuck in the kernel."""


@dataclass(frozen=True)
class RunningNode:
    """One started node."""

    spec: NodeSpec
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def name(self) -> str:
        """The node's name."""
        return self.spec.name

    @property
    def alive(self) -> bool:
        """Whether its process is there (a stopped one is)."""
        return self.process.poll() is None

    def death_notice(self) -> str:
        """How its process ended, with the end of its log."""
        code = self.process.returncode
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
        tail = self.log_tail()
        return f"{self.name} {how}; its log {self.log} ends with:\n{tail}" if tail else f"{self.name} {how}"

    def log_tail(self, lines: int = 12) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


class ProcessGroup:
    """Starts the nodes of a graph and ends all of them, however they behave."""

    def __init__(self, graph: GraphSpec, log_folder: Path, environment: Mapping[str, str]) -> None:
        self._graph = graph
        self._log_folder = log_folder
        self._environment = {**os.environ, **environment, **{"ROS_LOG_DIR": str(log_folder)}}
        self.nodes: list[RunningNode] = []

    def start(self) -> None:
        """Start every node; they come up unconfigured."""
        self._log_folder.mkdir(parents=True, exist_ok=True)
        for spec in self._graph.nodes:
            self.nodes.append(self._start(spec))

    def _start(self, spec: NodeSpec) -> RunningNode:
        log = self._log_folder / f"{spec.name}.log"
        with open(log, "ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", spec.module, *ros_arguments(spec)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**self._environment, **spec.process_environment},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return RunningNode(spec, process, log)

    def node(self, name: str) -> RunningNode:
        """The started node called `name`; KeyError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no process for a node {name!r}; there are: {', '.join(node.name for node in self.nodes)}")

    def ended(self) -> list[RunningNode]:
        """Nodes whose process is over."""
        return [node for node in self.nodes if not node.alive]

    def restart(self, name: str) -> RunningNode:
        """Kill what is left of a node, whatever state it is in, and start it again; its log is continued.

        Raises GraphError when the kernel does not end the old process (a driver that hangs).
        """
        old = self.node(name)
        _kill_group(old)
        try:
            old.process.wait(timeout=KILL_S)
        except subprocess.TimeoutExpired as error:
            raise GraphError(
                f"{name} (process {old.process.pid}) cannot be killed: a device driver hangs; restart the machine"
            ) from error
        new = self._start(old.spec)
        self.nodes[self.nodes.index(old)] = new
        return new

    def stop(self) -> None:
        """End everything, last node first: ask, insist, force. Returns when no process is left."""
        for number, patience_s in STAGES:
            alive = [node for node in reversed(self.nodes) if node.alive]
            if not alive:
                break
            for node in alive:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(node.process.pid, number)
            _wait(alive, patience_s)
        # Children of a node that is gone already (none are expected) would still be in its group.
        for node in self.nodes:
            _kill_group(node)
        self.nodes.clear()


def ros_arguments(spec: NodeSpec) -> list[str]:
    """The node's name and parameters as ROS command line arguments."""
    # The output is kept in <node>.log already: no second log file.
    arguments = ["--ros-args", "--disable-external-lib-logs", "-r", f"__node:={spec.name}"]
    if spec.namespace:
        arguments += ["-r", f"__ns:={spec.namespace}"]
    for name, value in spec.parameters.items():
        arguments += ["-p", f"{name}:={_yaml(value)}"]
    return arguments


def _yaml(value: bool | int | float | str | Sequence[str] | Sequence[float]) -> str:
    import json

    # JSON is YAML, and quotes texts such as "1" or "" so that they stay texts.
    return json.dumps(value if isinstance(value, bool | int | float | str) else list(value))


def _kill_group(node: RunningNode) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(node.process.pid, signal.SIGKILL)


def _wait(nodes: list[RunningNode], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    for node in nodes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            node.process.wait(timeout=max(0.0, deadline - time.monotonic()))


def _die_with_parent() -> None:
    # A supervisor that is killed cannot clean up: the kernel then ends its nodes (Linux only).
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
