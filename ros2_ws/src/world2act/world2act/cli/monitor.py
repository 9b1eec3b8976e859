"""`world2act monitor`: a graph that runs, on one screen."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live

from world2act.cli.options import check_domain
from world2act.errors import GraphError
from world2act.live.screen import screen
from world2act.live.snapshot import Snapshot
from world2act.live.text import plain_lines
from world2act.live.watcher import GraphWatcher
from world2act.security.enclave import OBSERVER
from world2act.supervision.session import Session, prepare_environment
from world2act.supervision.supervisor import domain_id

LOOK_S = 10.0
"""How long --once waits for the first node."""
GATHER_S = 2.5
"""How long it goes on listening then, and longer for a node that has said nothing yet; each reports once a second."""
GATHER_MOST_S = 5.0
"""But no longer than this: supervision is counted among them and speaks only when a node is lost."""


@dataclass(frozen=True)
class Monitor:
    """Show a running graph on one screen: nodes, rates, latencies, skill, safety, recorder, and what is wrong.

    With --once or --json it looks once and exits with 0 only when every node is active and without a fault.
    """

    once: bool = False
    """Print plain lines once and end."""
    json: bool = False
    """Print one JSON object and end."""
    refresh: float = 0.25
    """Seconds between two pictures of the screen."""
    domain: int | None = None
    """ROS domain of the graph. Default: ROS_DOMAIN_ID, or 0."""

    def run(self) -> int:
        """Returns the exit status."""
        if not (self.once or self.json or Console().is_terminal):
            raise GraphError("standard output is no terminal: use --once for plain lines, or --json")
        prepare_environment(check_domain(self.domain))
        with Session("world2act_monitor", role=OBSERVER) as session:
            watcher = GraphWatcher(session, domain_id())
            if self.once or self.json:
                return self._look(session, watcher)
            with Live(screen(watcher.snapshot()), screen=True, auto_refresh=False) as live:
                while True:
                    session.wait(lambda: False, max(0.05, self.refresh))
                    live.update(screen(watcher.snapshot()), refresh=True)

    def _look(self, session: Session, watcher: GraphWatcher) -> int:
        session.wait(lambda: watcher.known > 0, LOOK_S)
        if watcher.known:
            until_s = time.monotonic() + GATHER_S
            session.wait(lambda: time.monotonic() > until_s and watcher.known >= watcher.reporting, GATHER_MOST_S)
        snapshot = watcher.snapshot()
        self._print(snapshot)
        return 0 if snapshot.well else 1

    def _print(self, snapshot: Snapshot) -> None:
        if self.json:
            print(json.dumps(snapshot.to_json(), indent=2))
            return
        console = Console(soft_wrap=True)
        lines = plain_lines(snapshot) or [
            f"trouble: no graph answers on ROS domain {snapshot.domain}: start one with `world2act up sim`, "
            f"or give the --domain it runs on"
        ]
        for line in lines:
            console.print(line, markup=False, highlight=False)
