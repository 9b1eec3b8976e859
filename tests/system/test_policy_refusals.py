"""A bundle that must not move this arm is refused by vla_policy, and `world2act up` says why, naming both sides."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import String

from tests.system.conftest import new_domain
from tests.system.tiny_bundle import make_bundle
from world2act import topics
from world2act.nodes.vla_policy import CONTRACT_MISMATCH, VlaPolicy
from world2act.supervision.session import Session
from world2act_core.engine import available_providers
from world2act_core.files import sha256_file
from world2act_core.tabletop import tabletop_contract

MISMATCH = "robot: the robot has UR5e, bundle tiny has Panda"


def damage(bundle: Path) -> tuple[str, str]:
    """Change one byte of the network; returns its hash before and after."""
    path = bundle / "policy.onnx"
    before = sha256_file(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return before, sha256_file(path)


class Policies:
    """vla_policy nodes in this process."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.nodes: list[VlaPolicy] = []

    def make(self, bundle: Path, **parameters: object) -> VlaPolicy:
        overrides = [Parameter(name, value=value) for name, value in {"bundle": str(bundle), **parameters}.items()]
        self.nodes.append(VlaPolicy(context=self.session.context, parameter_overrides=overrides))
        self.session.executor.add_node(self.nodes[-1])
        return self.nodes[-1]

    def say_robot(self, robot: str) -> None:
        """What the arm's driver would say about itself."""
        publisher = self.session.node.create_publisher(String, topics.ROBOT_CONTRACT, topics.latched())
        publisher.publish(String(data=tabletop_contract(robot, image_size=128).to_text()))


@pytest.fixture
def policies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Policies]:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(new_domain()))
    with Session("world2act_test") as session:
        made = Policies(session)
        yield made
        for node in made.nodes:
            node.trigger_shutdown()
            session.executor.remove_node(node)
            node.destroy_node()


def refusal(node: VlaPolicy) -> str:
    """What the node says when it refuses to be configured."""
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert node.condition.name == "CONFIGURATION" and "What to do: " in node.condition.message
    return node.condition.message


def test_a_wrong_hash_is_refused(policies: Policies, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    before, after = damage(bundle)
    message = refusal(policies.make(bundle))
    assert "policy.onnx" in message and before in message and after in message


def test_a_missing_provider_is_refused(policies: Policies, bundle: Path) -> None:
    if "cuda" in available_providers():
        pytest.skip("this machine has cuda")
    assert "provider 'cuda' is not available" in refusal(policies.make(bundle, provider="cuda"))


def test_a_network_of_the_wrong_shape_is_refused_although_it_declares_none(policies: Policies, tmp_path: Path) -> None:
    message = refusal(policies.make(make_bundle(tmp_path, rows=6)))
    assert "output 'actions' has shape [1, 6, 7], the contract wants [1, 8, 7]" in message


def test_another_robots_bundle_is_refused_before_and_while_it_is_active(policies: Policies, bundle: Path) -> None:
    early = policies.make(bundle)
    assert early.trigger_configure() == early.trigger_activate() == TransitionCallbackReturn.SUCCESS
    policies.say_robot("UR5e")
    assert policies.session.wait(lambda: early.condition.name == CONTRACT_MISMATCH, 10.0)
    assert MISMATCH in early.condition.message
    late = policies.make(bundle)
    assert policies.session.wait(lambda: late._robot is not None, 10.0)
    assert MISMATCH in refusal(late)


def up(bundle: Path, folder: Path, *options: str) -> str:
    """`world2act up sim`, which must refuse; returns what it says."""
    command = [sys.executable, "-m", "world2act.cli.main", "up", "sim", "--bundle", str(bundle), "--lockstep", *options]
    command += ["--domain", str(new_domain())]
    environment = {**os.environ, "COLUMNS": "1000"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "vla_policy refused to start" in done.stderr and "Traceback" not in done.stderr
    return done.stderr


def test_up_says_which_file_has_which_hash(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    before, after = damage(bundle)
    said = up(bundle, tmp_path)
    assert "policy.onnx" in said and before in said and after in said


@pytest.mark.long
def test_up_names_the_robot_and_the_bundle(bundle: Path, tmp_path: Path) -> None:
    assert MISMATCH in up(bundle, tmp_path, "--robot", "UR5e")
