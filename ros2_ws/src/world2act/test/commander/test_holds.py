"""Why the arm of joint_commander does not move."""

from __future__ import annotations

from pathlib import Path

import pytest

from world2act.commander.holds import PEER_FAULT, PEER_SILENT, Holds
from world2act.commander.known_bundles import KnownBundles
from world2act.commander.reports import hold_flags
from world2act.peer_watch import PeerWatch
from world2act_interfaces.msg import NodeHealth

NEEDED = frozenset({"camera_ingest", "vla_policy"})


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def holds(clock: Clock) -> Holds:
    made = Holds(PeerWatch(sorted(NEEDED), 0.12, clock))
    made.start()
    return made


def pass_time(holds: Holds, clock: Clock, seconds: float, *alive: str) -> None:
    for _ in range(round(seconds / 0.01)):
        clock.now_s += 0.01
        for name in alive:
            holds.heard(name)
        holds.look(at_work=True)


def fault(node: str, level: int = NodeHealth.FAULT) -> NodeHealth:
    return NodeHealth(node=f"/{node}", level=level, fault="INPUT_SILENT", message="nothing from wrist")


def test_an_operators_wish_holds_as_long_as_it_lasts(holds: Holds) -> None:
    holds.asked.set(True, "hands in the cell")
    hold = holds.look(at_work=True)
    assert hold is not None and hold.message == "hands in the cell" and not holds.latched
    holds.asked.set(False, "")
    assert holds.look(at_work=True) is None


def test_an_operator_does_not_end_the_supervisors_hold_nor_it_an_operators(holds: Holds) -> None:
    holds.asked.set(True, "NODE_LOST: vla_policy ended")
    holds.asked.set(True, "hands in the cell")
    holds.asked.set(False, "")
    hold = holds.look(at_work=True)
    assert hold is not None and hold.message == "NODE_LOST: vla_policy ended"
    holds.asked.set(True, "hands in the cell")
    holds.asked.set(False, "NODE_LOST")
    hold = holds.look(at_work=True)
    assert hold is not None and hold.message == "hands in the cell"
    holds.asked.set(False, "hands in the cell")
    assert holds.look(at_work=True) is None


def test_a_wish_to_hold_hides_no_fault(holds: Holds, clock: Clock) -> None:
    holds.asked.set(True, "hands in the cell")
    pass_time(holds, clock, 0.2, "camera_ingest")
    holds.latch("CHUNK_INVALID", "a chunk was refused")
    assert [hold.name for hold in holds.all()] == ["", PEER_SILENT, "CHUNK_INVALID"]
    assert [flag.name for flag in hold_flags(holds)] == [PEER_SILENT, "CHUNK_INVALID"]


def test_a_silent_peer_is_named_and_latched_until_it_is_back_and_cleared(holds: Holds, clock: Clock) -> None:
    pass_time(holds, clock, 0.5, *NEEDED)
    assert holds.look(at_work=True) is None
    pass_time(holds, clock, 0.2, "camera_ingest")
    hold = holds.look(at_work=True)
    assert hold is not None and hold.name == PEER_SILENT and "vla_policy" in hold.message
    assert "camera_ingest" not in hold.message
    assert PEER_SILENT in holds.clear(), "it is still silent"
    pass_time(holds, clock, 0.1, *NEEDED)
    assert holds.look(at_work=True) is not None, "it is back, and the arm still holds"
    assert holds.clear() == "" and holds.look(at_work=True) is None


def test_a_peer_that_falls_silent_while_nothing_is_done_leaves_no_trace(holds: Holds, clock: Clock) -> None:
    for _ in range(30):
        clock.now_s += 0.01
        holds.heard("camera_ingest")
        holds.look(at_work=False)
    hold = holds.look(at_work=False)
    assert hold is not None and hold.name == PEER_SILENT and not holds.latched
    holds.heard("vla_policy")
    holds.heard("camera_ingest")
    assert holds.look(at_work=False) is None


def test_a_peers_fault_holds_with_its_own_words(holds: Holds) -> None:
    holds.health(fault("recorder"), NEEDED)
    assert holds.look(at_work=True) is None, "the arm does not need the recorder"
    holds.health(fault("camera_ingest"), NEEDED)
    hold = holds.look(at_work=True)
    assert hold is not None and hold.name == PEER_FAULT
    assert hold.message == "camera_ingest: INPUT_SILENT: nothing from wrist"
    holds.health(fault("camera_ingest", NodeHealth.OK), NEEDED)
    assert holds.look(at_work=True) is not None
    assert holds.clear() == "" and holds.look(at_work=True) is None


def test_known_bundles_are_by_robot_and_survive(tmp_path: Path) -> None:
    path = tmp_path / "state" / "known.json"
    known = KnownBundles(path)
    assert not known.knows("fr3", "abc")
    known.remember("fr3", "abc")
    known.remember("fr3", "abc")
    assert KnownBundles(path).knows("fr3", "abc") and not KnownBundles(path).knows("ur5e", "abc")
    for damaged in ("{", "[1]", '{"fr3": "abc"}'):
        path.write_text(damaged)
        assert not known.knows("fr3", "abc"), "slow once more, not a crash"
