"""The monitor in a whole graph: low scores have the skill started again and then stop it; unknown ones do nothing."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.system.conftest import Start, new_domain
from tests.system.tiny_bundle import add_monitor, make_bundle
from world2act import topics
from world2act.client import GraphClient
from world2act.conversions import chunk_to_message, stamp_to_ns, value_names
from world2act.graph import GraphOptions, build_graph
from world2act.schedule import InferenceSchedule, SkillRequest
from world2act.supervision.supervisor import Supervisor
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk
from world2act_interfaces.msg import ActionChunk as ChunkMessage
from world2act_interfaces.msg import Observation, Skill

PICK = "pick up the red cube"


class StillPolicy:
    """Stands in for vla_policy: a chunk that moves nothing for every observation that is due, with this score."""

    def __init__(self, graph: Supervisor) -> None:
        contract = tabletop_contract()
        self.score, self.done = 0.1, 0.0
        self.skills: list[Skill] = []
        self.served: list[int] = []
        self._names = value_names(contract.action)
        self._still = np.zeros((contract.chunk_length, contract.action_size), np.float32)
        step_ns = round(contract.step_s * 1e9)
        self._schedule = InferenceSchedule(True, contract.execute_steps * step_ns, step_ns)
        self._sequence = 0
        node = graph.session.node
        self._chunks = node.create_publisher(ChunkMessage, topics.ACTION_CHUNK, topics.reliable())
        node.create_subscription(Observation, topics.OBSERVATION, self._on_observation, topics.reliable())
        node.create_subscription(Skill, topics.SKILL, self._on_skill, topics.latched())
        assert graph.session.wait(lambda: self._chunks.get_subscription_count() == 2, 30.0)

    def _on_observation(self, message: Observation) -> None:
        self._schedule.observe(stamp_to_ns(message.header.stamp), message)
        self._answer()

    def _on_skill(self, message: Skill) -> None:
        self.skills.append(message)
        not_before_ns = stamp_to_ns(message.header.stamp)
        self._schedule.set_skill(
            SkillRequest(
                message.plan_id, message.id, message.prompt, message.active, message.chunk_sequence, not_before_ns
            )
        )
        self._answer()

    def _answer(self) -> None:
        job = self._schedule.due()
        if job is None:
            return
        skill = job.skill
        chunk = ActionChunk(
            self._sequence, job.stamp_ns / 1e9, 0.1, self._still, done=self.done, skill_id=skill.skill_id
        )
        message = chunk_to_message(chunk, job.stamp_ns, skill.plan_id, self._names, "0" * 64)
        message.alignment_score = self.score
        self.served.append(skill.skill_id)
        self._schedule.ran(job, self._sequence)
        self._sequence += 1
        self._chunks.publish(message)


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Supervisor]:
    """Every node but vla_policy, with a bundle that has a monitor."""
    bundle = make_bundle(tmp_path)
    add_monitor(bundle)
    os.environ["ROS_DOMAIN_ID"] = str(new_domain())
    spec = build_graph("sim", GraphOptions(bundle=str(bundle), lockstep=True))
    spec = replace(spec, nodes=tuple(node for node in spec.nodes if node.name != "vla_policy"))
    with Supervisor(spec, tmp_path / "run") as supervisor:
        supervisor.bring_up()
        yield supervisor


def test_low_scores_start_the_skill_again_and_then_stop_it(graph: Supervisor) -> None:
    policy, client = StillPolicy(graph), GraphClient(graph.session)
    feedback: list[tuple[int, float]] = []
    ready = client.reset(3, PICK).sim_time
    outcome = client.execute(
        PICK, lambda message: feedback.append((message.retries, message.score)), graph.check, ready
    )
    assert outcome.error == "LOW_ALIGNMENT" and not outcome.success and outcome.skills_completed == 0
    assert f"'{PICK}'" in outcome.message and "started again 2 time(s)" in outcome.message
    # Three chunks, one per attempt, at 0, 0.4 and 0.8 s: the alarm came with each.
    assert policy.served == [1, 2, 3] and outcome.seconds == pytest.approx(0.8)
    attempts = list(dict.fromkeys((skill.id, skill.attempt) for skill in policy.skills if skill.active))
    assert attempts == [(1, 1), (2, 2), (3, 3)]
    assert graph.session.wait(lambda: not policy.skills[-1].active, 10.0)
    assert [retries for retries, _ in feedback][-1] == 2
    # The same graph goes on with scores as they should be.
    policy.score, policy.done = 0.9, 1.0
    ready = client.reset(4, PICK).sim_time
    outcome = client.execute(
        PICK, lambda message: feedback.append((message.retries, message.score)), graph.check, ready
    )
    assert outcome.success, outcome
    assert set(policy.served[3:]) == {4} and feedback[-1] == (0, pytest.approx(0.9))


def test_a_policy_without_scores_is_never_stopped(start: Start, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    add_monitor(bundle)
    graph = start(bundle)
    client = GraphClient(graph.session)
    feedback: list[float] = []
    ready = client.reset(5, PICK).sim_time
    outcome = client.execute(PICK, lambda message: feedback.append(message.score), graph.check, ready)
    assert outcome.success and outcome.seconds > 1.0
    assert feedback and all(math.isnan(score) for score in feedback)
