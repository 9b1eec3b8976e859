"""Brings a graph up, watches it, and ends it so that nothing is left: no process, no shared memory."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from world2act.errors import GraphError
from world2act.graph import GraphSpec, graph_environment
from world2act.supervision.bring_up import BringUp
from world2act.supervision.holding import ArmHold
from world2act.supervision.interrupts import uninterrupted
from world2act.supervision.node_lost import NodeLost
from world2act.supervision.processes import ProcessGroup, RunningNode
from world2act.supervision.safe_stop import SETTLE_S, SafeStop
from world2act.supervision.session import Session, graph_nodes
from world2act.supervision.shared_memory import remove_dead_segments

Progress = Callable[[str, str], None]


def domain_id() -> int:
    """The ROS domain of this process."""
    return int(os.environ.get("ROS_DOMAIN_ID") or 0)


def run_folder(base: Path = Path("runs")) -> Path:
    """A new folder name under `base` from the time of day; it is made when something is written."""
    return base / time.strftime("%Y%m%d-%H%M%S")


class Supervisor:
    """One graph from start to end: `with Supervisor(graph, folder) as supervisor: supervisor.bring_up()`.

    The process's environment must be the graph's (`prepare_environment`) before the first one is made.
    """

    def __init__(self, graph: GraphSpec, folder: Path) -> None:
        self.graph = graph
        self.log_folder = folder / "log"
        self._lock: IO[str] | None = None
        self._session: Session | None = None
        self._processes = ProcessGroup(graph, self.log_folder, graph_environment(domain_id()))
        self._bring: BringUp | None = None
        self._hold: ArmHold | None = None
        self._node_lost: NodeLost | None = None
        self._up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def session(self) -> Session:
        """The supervisor's own ROS node; GraphError before bring_up."""
        if self._session is None:
            raise GraphError("the graph is not up yet")
        return self._session

    @property
    def bring_up_state(self) -> BringUp:
        """What the nodes say about themselves; GraphError before bring_up."""
        if self._bring is None:
            raise GraphError("the graph is not up yet")
        return self._bring

    @property
    def node_lost(self) -> NodeLost:
        """The latched fault of supervision; GraphError before bring_up."""
        if self._node_lost is None:
            raise GraphError("the graph is not up yet")
        return self._node_lost

    @property
    def processes(self) -> ProcessGroup:
        """The nodes' processes."""
        return self._processes

    def bring_up(self, progress: Progress = lambda name, state: None) -> None:
        """Start, configure and activate every node. Raises GraphError, with everything ended again by `stop`."""
        remove_dead_segments()
        self._claim_domain()
        self._session = Session("world2act_up")
        self._refuse_second_graph()
        self._processes.start()
        names = [node.name for node in self.graph.nodes]
        self._bring = BringUp(self._session, names, lambda name: self._processes.node(name).process.pid)
        self._hold = ArmHold(self._session)
        self._node_lost = NodeLost(self._session, self._hold)
        self._bring.run(progress, self.check)
        self._up = True

    def restart(
        self, name: str, progress: Progress = lambda name, state: None, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Start one node again, whatever is left of it, and bring it to active; `meanwhile` is called again and again.

        Raises GraphError when that fails.
        """
        node = self._processes.restart(name)
        remove_dead_segments()

        def check() -> None:
            meanwhile()
            if not node.alive:
                raise GraphError(node.death_notice())

        self.bring_up_state.bring_back(name, progress, check)

    def _claim_domain(self) -> None:
        """Two graphs that start at the same moment do not see each other yet; this file they do."""
        path = Path(tempfile.gettempdir()) / f"world2act-{os.getuid()}-domain-{domain_id()}.lock"
        self._lock = open(path, "a")  # noqa: SIM115 - held until stop()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise GraphError(_second_graph("of this user")) from error

    def _refuse_second_graph(self) -> None:
        others = graph_nodes(self.session, frozenset(node.name for node in self.graph.nodes))
        if others:
            raise GraphError(_second_graph(f"with {', '.join(others)}"))

    def ended(self) -> list[RunningNode]:
        """Nodes whose process is over."""
        return self._processes.ended()

    def check(self) -> None:
        """Raise GraphError when a node's process is over."""
        ended = self.ended()
        if ended:
            raise GraphError(ended[0].death_notice())

    def stop(self) -> None:
        """End everything and remove what dead processes left; may be called twice."""
        with uninterrupted():
            try:
                self._let_go_safely()
                self._processes.stop()
            finally:
                if self._session is not None:
                    self._session.close()
                    self._session = None
                remove_dead_segments()
                if self._lock is not None:
                    self._lock.close()
                    self._lock = None

    def _let_go_safely(self) -> None:
        """Policy, hold, disable, in this order; only a graph that was up has anything to let go of."""
        if not self._up or self._session is None or self._hold is None:
            return
        self._up = False
        lockstep = any(node.parameters.get("lockstep") for node in self.graph.nodes)
        stop = SafeStop(self._session, self.bring_up_state, self._hold, 0.0 if lockstep else SETTLE_S)
        try:
            stop.run(lambda name: self._processes.node(name).alive)
        except Exception:  # a bug here must not leave processes behind
            traceback.print_exc()


def _second_graph(which: str) -> str:
    return (
        f"another graph {which} is already running on ROS domain {domain_id()}: two would command one arm. "
        f"Stop it, or start this one on a domain of its own (--domain N, or set ROS_DOMAIN_ID)"
    )
