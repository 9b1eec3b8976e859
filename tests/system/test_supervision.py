"""Nodes of a real graph are killed and stopped: the arm holds, they come back, and only a person lets things go on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String

from tests.system.conftest import new_domain
from tests.system.light_node import light_graph
from world2act import topics
from world2act.client import GraphClient
from world2act.errors import GraphError
from world2act.supervision.back_off import RestartLimits
from world2act.supervision.graph_watch import GraphWatch
from world2act.supervision.holding import ArmHold
from world2act.supervision.node_lost import NodeLost
from world2act.supervision.session import Session
from world2act.supervision.supervisor import Supervisor
from world2act_interfaces.msg import ArmCommand, NodeHealth

QUICK = RestartLimits(first_s=0.1, restarts=2)
SPINS = 16


class Person:
    """Somebody with a session of their own who looks at the graph, as `world2act monitor` and `clear` do."""

    def __init__(
        self, supervisor: Supervisor, hang_s: float = 0.0, on_death: str = "restart", not_needed_hang_s: float = 60.0
    ) -> None:
        self.supervisor = supervisor
        self.told: list[str] = []
        self.react: Callable[[str], None] = lambda told: None
        self.watch = GraphWatch(supervisor, on_death, QUICK, hang_s, self._tell, not_needed_hang_s)
        self.session = Session("person")
        self.commands: list[ArmCommand] = []
        self.faults: dict[str, NodeHealth] = {}
        self.said: list[str] = []
        """What supervision has said on /diagnostics, without repetitions."""
        node = self.session.node
        node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, topics.reliable(50))
        node.create_subscription(ArmCommand, topics.ARM_COMMAND, self.commands.append, topics.reliable(1))
        node.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())
        assert self.until(lambda: bool(self.commands))

    def _tell(self, name: str, text: str) -> None:
        self.told.append(f"{name} {text}")
        self.react(self.told[-1])

    def _on_health(self, message: NodeHealth) -> None:
        self.faults[message.node.rsplit("/", 1)[-1]] = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("/supervisor") and status.message not in self.said[-1:]:
                self.said.append(status.message)

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> bool:
        """Let the graph be watched until `condition()`."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.watch.tick()
            # A tick may take 50 ms, in which several messages come: who handles one per tick loses half of them, and
            # in a graph that beats evenly always the same ones.
            for _ in range(SPINS):
                self.session.spin(0.0)
            del self.commands[:-10]
        return True

    def fault(self, name: str) -> str:
        """The fault that a node reports now."""
        return self.faults[name].fault if name in self.faults else ""

    def process(self, name: str) -> int:
        """A node's process id."""
        return self.supervisor._processes.node(name).process.pid

    def clear(self) -> list:
        """`world2act clear`, while the graph goes on being watched."""
        answers: list = []

        def call() -> None:
            with Session("clear") as session:
                answers.extend(GraphClient(session).clear_faults())

        thread = threading.Thread(target=call)
        thread.start()
        assert self.until(lambda: not thread.is_alive())
        return answers


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Person]]:
    """up(names...) -> a watched graph of light nodes."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(new_domain()))
    people: list[Person] = []
    supervisors: list[Supervisor] = []

    def bring_up(*names: str, refuse: Path | None = None, **options: object) -> Person:
        supervisors.append(Supervisor(light_graph(*names, refuse=refuse), tmp_path))
        supervisors[-1].bring_up()
        people.append(Person(supervisors[-1], **options))  # type: ignore[arg-type]
        return people[-1]

    yield bring_up
    for person in people:
        person.session.close()
    for supervisor in supervisors:
        supervisor.stop()


def test_a_killed_node_comes_back_and_the_arm_holds_until_cleared(up) -> None:
    person = up("recorder", "vla_policy", "arm_commander")
    old = person.process("vla_policy")
    os.kill(old, signal.SIGKILL)
    assert person.until(lambda: "vla_policy active" in person.told), person.told
    assert person.process("vla_policy") != old
    assert person.until(lambda: person.commands[-1].holding)
    assert person.commands[-1].hold_reason == "NODE_LOST: vla_policy was ended by signal 9"
    assert person.until(lambda: person.fault("supervisor") == "NODE_LOST")
    assert "world2act clear" in person.faults["supervisor"].message
    # It is back, and still nothing moves.
    assert not person.until(lambda: not person.commands[-1].holding, 0.5)
    (answer,) = person.clear()
    assert answer.ok and answer.fault == "NODE_LOST"
    assert person.until(lambda: not person.commands[-1].holding and person.fault("supervisor") == "")
    # The arm needs no recorder: it is missed by name and comes back, and nothing holds.
    os.kill(person.process("recorder"), signal.SIGKILL)
    assert person.until(lambda: "recorder active" in person.told), person.told
    assert not person.commands[-1].holding and not person.supervisor.node_lost.latched
    missed = "RECORDER_LOST: recorder was ended by signal 9. The arm goes on without recorder"
    assert person.until(lambda: person.said[-2:] == [missed, "active"]), person.said
    # A new commander knows of nothing, and begins in hold all the same.
    os.kill(person.process("arm_commander"), signal.SIGKILL)
    assert person.until(lambda: "arm_commander active" in person.told), person.told
    assert person.until(lambda: person.commands[-1].holding)
    assert person.commands[-1].hold_reason == "NODE_LOST: arm_commander was ended by signal 9"
    (answer,) = person.clear()
    assert answer.ok
    assert person.until(lambda: not person.commands[-1].holding)
    (again,) = person.clear()
    assert again.ok and again.fault == ""


def test_a_second_loss_holds_while_the_first_is_still_being_repaired(up) -> None:
    person = up("recorder", "vla_policy", "arm_commander")

    def kill_the_policy_too(told: str) -> None:
        if told == "recorder starting":
            os.kill(person.process("vla_policy"), signal.SIGKILL)
        if told == "recorder active":
            held_by.append(person.supervisor.node_lost.condition.name)

    held_by: list[str] = []
    person.react = kill_the_policy_too
    os.kill(person.process("recorder"), signal.SIGKILL)
    assert person.until(lambda: "vla_policy active" in person.told), person.told
    assert held_by == ["NODE_LOST"], "the arm needs no recorder, but the policy was gone before it was back"


def test_nothing_is_cleared_before_everybody_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(new_domain()))
    with Session("supervisor") as session:
        lost, client = NodeLost(session, ArmHold(session)), GraphClient(session)
        lost.latch("vla_policy was ended by signal 9")
        lost.missing.add("vla_policy")
        (answer,) = client.clear_faults()
        assert not answer.ok and answer.message.startswith("not back yet: vla_policy")
        assert lost.latched
        lost.missing.clear()
        (answer,) = client.clear_faults()
        assert answer.ok and answer.fault == "NODE_LOST" and not lost.latched
        # Here is no arm_commander that could be told, so the fault comes back by itself.
        lost.release()
        assert "the arm still holds: arm_commander's set_hold is not there" in lost.condition.message


@pytest.mark.long
def test_a_hanging_node_is_killed_and_one_that_cannot_come_back_is_given_up(up, tmp_path: Path) -> None:
    refuse = tmp_path / "refuse"
    person = up("arm_commander", "vla_policy", refuse=refuse, hang_s=4.0)
    old = person.process("vla_policy")
    os.kill(old, signal.SIGSTOP)
    assert person.until(lambda: person.commands[-1].holding)
    assert "vla_policy has not reported for" in person.commands[-1].hold_reason
    assert person.until(lambda: "vla_policy active" in person.told), person.told
    with pytest.raises(ProcessLookupError):
        os.kill(old, 0)
    refuse.touch()
    os.kill(person.process("vla_policy"), signal.SIGKILL)
    with pytest.raises(GraphError, match=r"gave up: vla_policy was lost more than 2 times") as caught:
        person.until(lambda: False, 60.0)
    assert "refuse is there. What to do: remove it" in str(caught.value)


@pytest.mark.long
def test_a_recorder_that_hangs_is_missed_by_name_and_started_again_and_nothing_holds(up) -> None:
    person = up("recorder", "arm_commander", hang_s=4.0, not_needed_hang_s=8.0)
    old = person.process("recorder")
    os.kill(old, signal.SIGSTOP)
    assert not person.until(lambda: person.process("recorder") != old, 5.0), "it may wait for its disk"
    assert person.until(lambda: "recorder active" in person.told), person.told
    with pytest.raises(ProcessLookupError):
        os.kill(old, 0)
    assert person.until(lambda: len(person.said) > 1 and person.said[-1] == "active"), person.said
    assert person.said[-2].startswith("RECORDER_LOST: recorder has not reported for "), person.said
    assert not person.commands[-1].holding and not person.supervisor.node_lost.latched


@pytest.mark.long
def test_the_graph_goes_on_without_a_recorder_that_cannot_come_back(up, tmp_path: Path) -> None:
    refuse = tmp_path / "refuse"
    person = up("arm_commander", "recorder", refuse=refuse)
    refuse.touch()
    os.kill(person.process("recorder"), signal.SIGKILL)
    assert person.until(lambda: any("the graph goes on without it" in told for told in person.told), 60.0), person.told
    missed = "RECORDER_LOST: gave up: recorder was lost more than 2 times within 120 s"
    assert person.until(lambda: bool(person.said) and person.said[-1].startswith(missed)), person.said
    assert person.until(lambda: person.fault("supervisor") == "RECORDER_LOST")
    # A loss of what the arm needs is worse, and the other is still told.
    os.kill(person.process("arm_commander"), signal.SIGKILL)
    assert person.until(lambda: "arm_commander active" in person.told), person.told
    assert person.until(lambda: person.commands[-1].holding)
    assert person.until(lambda: person.said[-1].startswith("NODE_LOST: arm_commander was ended by signal 9"))
    assert "gave up: recorder" in person.said[-1]
    (answer,) = person.clear()
    assert answer.ok and answer.fault == "NODE_LOST"
    assert person.until(lambda: person.said[-1].startswith(missed) and not person.commands[-1].holding), person.said


def test_stopping_is_the_other_choice_and_has_an_order(up) -> None:
    person = up("camera_ingest", "vla_policy", "arm_commander", "skill_planner", on_death="stop")
    calls: list[str] = []
    subscription = person.session.node.create_subscription(
        String, "calls", lambda message: calls.append(message.data), topics.latched(10)
    )
    assert person.until(lambda: subscription.get_publisher_count() == 4)
    os.kill(person.process("camera_ingest"), signal.SIGKILL)
    with pytest.raises(GraphError, match="camera_ingest was ended by signal 9"):
        person.until(lambda: False, 30.0)
    person.supervisor.stop()
    assert person.session.wait(lambda: len(calls) == 4, 5.0), calls
    assert calls == ["skill_planner stop", "vla_policy stop", "arm_commander hold", "arm_commander stop"]
