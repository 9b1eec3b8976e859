"""Why the arm must not move though no limit is touched: somebody said so, or a node it needs is silent or at fault."""

from __future__ import annotations

from dataclasses import dataclass

from world2act.asked_holds import AskedHolds
from world2act.health import FAULT
from world2act.peer_watch import PeerWatch
from world2act_interfaces.msg import NodeHealth

PEER_SILENT = "PEER_SILENT"
PEER_FAULT = "PEER_FAULT"


@dataclass(frozen=True)
class Hold:
    """One reason. name: of the fault, empty for what is no fault; message: for a person; latched: until cleared."""

    name: str
    message: str
    latched: bool


class Holds:
    """Collects the reasons; the arm moves only while there is none.

    A fault of a peer is latched when it happens while the arm is at work, so that nothing starts to move again by
    itself; while nothing is to be done it is only there as long as it lasts.
    """

    def __init__(self, peers: PeerWatch) -> None:
        self._peers = peers
        self.asked = AskedHolds()
        self._faults: dict[str, str] = {}
        self._latched: dict[str, Hold] = {}

    def start(self) -> None:
        """Forget everything; every peer counts as seen now."""
        self.asked = AskedHolds()
        self._faults.clear()
        self._latched.clear()
        self._peers.restart()

    def heard(self, name: str) -> None:
        """A sign of life of node `name`."""
        self._peers.seen(name)

    def health(self, message: NodeHealth, needed: frozenset[str]) -> None:
        """What a node says about itself."""
        name = message.node.rsplit("/", 1)[-1]
        if name not in needed:
            return
        if message.level == FAULT:
            self._faults[name] = f"{name}: {message.fault}: {message.message}"
        else:
            self._faults.pop(name, None)

    def latch(self, name: str, message: str) -> None:
        """A fault of what arrived: the arm holds until it is cleared."""
        self._latched.setdefault(name, Hold(name, message, True))

    def look(self, at_work: bool) -> Hold | None:
        """The reason to hold in this period; call it every period. at_work: a skill is being executed."""
        if at_work:
            for hold in self._present():
                self._latched.setdefault(hold.name, hold)
        return next(iter(self.all()), None)

    def all(self) -> list[Hold]:
        """Every reason there is now: what was asked for, what is latched, what is there only as long as it lasts."""
        asked = [Hold("", reason, False) for reason in self.asked.reasons]
        passing = [hold for hold in self._present() if hold.name not in self._latched]
        return [*asked, *self._latched.values(), *passing]

    @property
    def latched(self) -> tuple[str, ...]:
        """Names of what goes on until it is cleared."""
        return tuple(self._latched)

    def clear(self) -> str:
        """End what is latched if its cause is gone; returns what is still there, empty: nothing."""
        left = [f"{hold.name}: {hold.message}" for hold in self._present() if hold.name in self._latched]
        if not left:
            self._latched.clear()
        return "; ".join(left)

    def _present(self) -> list[Hold]:
        found = []
        lost = self._peers.lost()
        if lost:
            ages = ", ".join(f"{name} for {self._peers.age_s(name):.2f} s" for name in lost)
            text = f"no sign of life of {ages}: is its process running? The supervisor starts it again"
            found.append(Hold(PEER_SILENT, text, True))
        if self._faults:
            found.append(Hold(PEER_FAULT, "; ".join(self._faults.values()), True))
        return found
