"""The real graph with the simulated arm: seen from outside, robbed of a node, whole again."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from mcap.reader import make_reader

from tests.system.websocket_client import WebSocketClient
from world2act import topics
from world2act.client import GraphClient, Outcome
from world2act.supervision.graph_watch import GraphWatch
from world2act.supervision.supervisor import Supervisor
from world2act_interfaces.msg import ArmCommand

PICK = "pick up the red cube"
WORLD2ACT = [sys.executable, "-u", "-m", "world2act.cli.main"]


@pytest.fixture(scope="module")
def graph(start, bundle: Path) -> Supervisor:
    """A real-time graph with the simulated table."""
    return start(bundle, lockstep=False)


def pick(graph: Supervisor) -> Outcome:
    """Carry out an instruction; real time needs the machine's attention, which a busy one may not give at once."""
    client = GraphClient(graph.session)
    for _ in range(3):
        answer = client.reset(2, PICK)
        outcome = client.execute(PICK, tick=graph.check, not_before=answer.sim_time)
        if outcome.success:
            break
    return outcome


def test_foxglove_gets_pictures_frames_chunks_and_status(graph: Supervisor, tmp_path: Path) -> None:
    record = tmp_path / "live.mcap"
    command = [*WORLD2ACT, "foxglove", "--port", "0", "--record", str(record)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"ws://127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found, process.communicate(timeout=10)
        with WebSocketClient(int(found[1])) as client:
            assert "101" in client.status
            client.json("serverInfo")
            channels: dict[str, int] = {}
            while not {"/tf", "/status", "/camera/scene", "/camera/wrist", "/chunk_path"} <= set(channels):
                channels |= {channel["topic"]: channel["id"] for channel in client.json("advertise")["channels"]}
            client.send({"op": "subscribe", "subscriptions": [{"id": 7, "channelId": channels["/camera/scene"]}]})
            picture = client.binary()
            assert picture[0] == 1 and int.from_bytes(picture[1:5], "little") == 7
            assert len(picture) > 128 * 128 * 3
        assert pick(graph).success
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 130, output
    finally:
        process.kill()
    with open(record, "rb") as stream:
        counts = Counter(channel.topic for _, channel, _ in make_reader(stream).iter_messages())
    for topic in ("/tf", "/status", "/camera/scene", "/camera/wrist", "/chunk_path", "/policy", "/joint_states"):
        assert counts[topic] > 0, counts


def test_monitor_says_how_the_graph_is(graph: Supervisor) -> None:
    done = subprocess.run([*WORLD2ACT, "monitor", "--json"], capture_output=True, text=True, timeout=60)
    seen = json.loads(done.stdout)
    nodes = {node["name"]: node for node in seen["nodes"]}
    assert {spec.name for spec in graph.graph.nodes} <= set(nodes), seen
    assert {node["state"] for node in nodes.values()} == {"active"}
    assert nodes["camera_ingest"]["rates_hz"]["observation"] > 0
    assert seen["arm"]["holding"] is True and seen["arm"]["reason"] == "no skill is active"
    assert done.returncode == (0 if seen["well"] else 1)
    lines = subprocess.run([*WORLD2ACT, "monitor", "--once"], capture_output=True, text=True, timeout=60).stdout
    assert "node: vla_policy active" in lines and "arm: holds: no skill is active" in lines


def test_a_killed_policy_comes_back_and_the_graph_works_again(graph: Supervisor) -> None:
    told: list[str] = []
    commands: list[ArmCommand] = []
    graph.session.node.create_subscription(ArmCommand, topics.ARM_COMMAND, commands.append, topics.reliable(1))
    watch = GraphWatch(graph, hang_s=0.0, tell=lambda name, text: told.append(f"{name} {text}"))

    def until(condition) -> None:
        deadline = time.monotonic() + 120.0
        while not condition():
            assert time.monotonic() < deadline, told
            watch.tick()

    until(lambda: bool(commands))
    graph._processes.node("vla_policy").process.kill()
    until(lambda: "vla_policy active" in told)
    # It would work again, and is asked to: the arm holds, and says why.
    ignored = subprocess.Popen([*WORLD2ACT, "do", PICK], stdout=subprocess.DEVNULL)
    until(lambda: commands[-1].hold_reason == "NODE_LOST: vla_policy was ended by signal 9")
    ignored.send_signal(signal.SIGINT)
    until(lambda: ignored.poll() is not None)
    clear = subprocess.Popen([*WORLD2ACT, "clear"], stdout=subprocess.PIPE, text=True)
    until(lambda: clear.poll() is not None)
    assert clear.returncode == 0 and clear.stdout is not None and "NODE_LOST is cleared" in clear.stdout.read()
    assert pick(graph).success
