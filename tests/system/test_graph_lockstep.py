"""An instruction through the whole graph, step by step: five processes, real topics, a simulated arm."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient

from world2act import topics
from world2act.client import GraphClient
from world2act.conversions import stamp_to_ns
from world2act.errors import GraphError
from world2act.supervision.session import Session
from world2act.supervision.supervisor import Supervisor
from world2act_interfaces.action import ExecuteInstruction
from world2act_interfaces.msg import ActionChunk, EpisodeStatus, SkillPlan

STEP_NS = 100_000_000
PICK = "pick up the red cube"


def trajectory(graph: Supervisor, client: GraphClient, seed: int) -> list[tuple[float, ...]]:
    """Every measured pose of one episode, bit for bit, in order."""
    poses: dict[int, tuple[float, ...]] = {}

    def keep(message: PoseStamped) -> None:
        p, o = message.pose.position, message.pose.orientation
        poses[stamp_to_ns(message.header.stamp)] = (p.x, p.y, p.z, o.x, o.y, o.z, o.w)

    chunks: list[int] = []
    node = graph.session.node
    subscriptions = [
        node.create_subscription(PoseStamped, topics.EEF_POSE, keep, topics.reliable(100)),
        node.create_subscription(
            ActionChunk, topics.ACTION_CHUNK, lambda m: chunks.append(stamp_to_ns(m.header.stamp)), topics.reliable(100)
        ),
    ]
    assert graph.session.wait(lambda: all(s.get_publisher_count() > 0 for s in subscriptions), 10.0)
    start = client.reset(seed, PICK).sim_time
    outcome = client.execute(PICK, tick=graph.check, not_before=start)
    assert outcome.success, outcome
    begin = stamp_to_ns(start)
    # The last chunk, at which the goal ended, is executed to its end: four steps, then the world stands still.
    last_chunk = begin + round(outcome.seconds * 10) * STEP_NS
    end = last_chunk + 4 * STEP_NS
    assert graph.session.wait(lambda: bool(chunks) and chunks[-1] == last_chunk, 10.0)
    assert graph.session.wait(lambda: end in poses, 10.0), "the world stopped early"
    for subscription in subscriptions:
        node.destroy_subscription(subscription)
    return [pose for stamp, pose in sorted(poses.items()) if stamp >= begin]


def test_an_instruction_is_carried_out(lockstep_graph: Supervisor, client: GraphClient) -> None:
    plans: list[SkillPlan] = []
    states: list[EpisodeStatus] = []
    node = lockstep_graph.session.node
    node.create_subscription(SkillPlan, topics.SKILL_PLAN, plans.append, topics.latched())
    node.create_subscription(EpisodeStatus, topics.EPISODE_STATUS, states.append, topics.latched())
    feedback: list[float] = []
    answer = client.reset(5, "put the can in the bin")
    assert "can" in answer.objects and list(answer.skill_prompts) == ["put the can in the bin"]
    outcome = client.execute(
        "put the can in the bin", lambda message: feedback.append(message.progress), not_before=answer.sim_time
    )
    assert outcome.success and outcome.error == "NONE" and outcome.skills_completed == outcome.skills_total == 1
    assert feedback[-1] >= 0.5
    assert lockstep_graph.session.wait(lambda: bool(states) and states[-1].step_count > 0, 3.0)
    assert states[-1].seed == 5 and plans[-1].skills[0].target == "can"


def test_two_runs_of_one_seed_are_identical(lockstep_graph: Supervisor, client: GraphClient) -> None:
    first = trajectory(lockstep_graph, client, 11)
    other = trajectory(lockstep_graph, client, 12)
    again = trajectory(lockstep_graph, client, 11)
    assert len(first) > 8
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("instruction", "error", "words"),
    [
        ("pick up the unicorn", "UNKNOWN_OBJECT", "red cube"),
        ("", "EMPTY_INSTRUCTION", ""),
        ("a" * 10_000, "INSTRUCTION_TOO_LONG", ""),
    ],
)
def test_refusals_have_a_name_and_a_way_out(client: GraphClient, instruction: str, error: str, words: str) -> None:
    outcome = client.execute(instruction)
    assert not outcome.success and outcome.error == error and words in outcome.message
    assert len(outcome.message) > 20


def test_one_goal_at_a_time_and_cancel(lockstep_graph: Supervisor, client: GraphClient) -> None:
    session = lockstep_graph.session
    client.reset(3, "pick up the can")
    actions = ActionClient(session.node, ExecuteInstruction, topics.EXECUTE_INSTRUCTION)
    # Nothing can be acted on before a time far in the future: this goal waits until it is cancelled.
    goal = ExecuteInstruction.Goal(instruction="pick up the can")
    goal.not_before.sec = 10**9
    sent = actions.send_goal_async(goal)
    assert session.wait(sent.done, 5.0)
    result = sent.result().get_result_async()
    assert client.execute("pick up the can").error == "BUSY"
    assert not result.done()
    sent.result().cancel_goal_async()
    assert session.wait(result.done, 5.0)
    assert result.result().result.error_code == ExecuteInstruction.Result.CANCELED
    actions.destroy()


def test_bad_resets_change_nothing(client: GraphClient) -> None:
    with pytest.raises(GraphError, match="unicorn"):
        client.reset(1, "pick up the unicorn")
    with pytest.raises(GraphError, match="there are: seen, light"):
        client.reset(1, split="mars")
    with pytest.raises(GraphError, match="0 or more"):
        client.reset(-1)


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, as a person would use it, on this graph's domain."""
    command = [sys.executable, "-m", "world2act.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_command_line_carries_out_and_refuses(lockstep_graph: Supervisor) -> None:
    # The graph's processes go on by themselves; only the supervisor's own node needs nobody to spin it.
    done = run_cli("do", PICK)
    assert done.returncode == 0 and "Done: 1 skill(s)" in done.stdout, done
    refused = run_cli("do", "pick up the unicorn")
    assert refused.returncode == 1 and "UNKNOWN_OBJECT" in refused.stdout and "red cube" in refused.stdout


def test_a_second_graph_on_the_same_domain_is_refused(lockstep_graph: Supervisor, bundle) -> None:
    second = run_cli("up", "sim", "--bundle", str(bundle), "--lockstep")
    assert second.returncode == 1
    assert "another graph" in second.stderr and "--domain" in second.stderr
    lockstep_graph.check()


def test_a_second_graph_is_also_seen_by_its_nodes(lockstep_graph: Supervisor) -> None:
    with pytest.raises(GraphError, match="/skill_planner"):
        lockstep_graph._refuse_second_graph()


def test_no_graph_is_a_clear_message() -> None:
    alone = run_cli("do", PICK, "--domain", "49")
    assert alone.returncode == 1 and "world2act up sim" in alone.stderr


def test_sessions_leave_no_threads(lockstep_graph: Supervisor) -> None:
    before = threading.active_count()
    with Session("world2act_test") as session:
        session.spin(0.05)
    assert threading.active_count() == before
