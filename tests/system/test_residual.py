"""vla_policy with a residual: corrected chunks with their score, switched off and on while it runs, as in-process."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from tests.system.conftest import new_domain
from tests.system.tiny_bundle import make_bundle
from training.export.residual import ResidualExportConfig, export_residual
from training.tests.synthetic_residual import residual_run
from world2act import topics
from world2act.client import GraphClient
from world2act.conversions import (
    image_to_message,
    ns_to_stamp,
    observation_from_message,
    observation_to_message,
    value_names,
)
from world2act.errors import GraphError
from world2act.nodes.vla_policy import VlaPolicy
from world2act.supervision.session import Session
from world2act_core.alignment import AlignmentTracker
from world2act_core.bundle import load_bundle
from world2act_core.files import sha256_file
from world2act_core.imagined import CodeBook, ImaginedStart, write_code_book
from world2act_core.policy import BundlePolicy
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk
from world2act_interfaces import msg as interfaces

PROMPT = "pick up the can"
STEP_NS = 400_000_000
START = "pick/seen/7"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with a residual of random weights."""
    root = tmp_path_factory.mktemp("residual")
    base = make_bundle(root / "models")
    head = residual_run(root / "run", sha256_file(base / "policy.onnx"), tabletop_contract(), bound=(0.5,))
    codes = np.random.default_rng(2).normal(size=(1, 3, head.coder.size)).astype(np.float32)
    start = ImaginedStart((PROMPT,), codes)
    adapter = residual_adapter(root / "run")
    write_code_book(root / "codes", CodeBook(4, adapter, "v" * 64, False, {START: start, "pick/seen/8": start}))
    config = ResidualExportConfig(
        run=root / "run", base=base, out=root / "models" / "corrected", cache=root, samples=4,
        imagined_codes=root / "codes",
    )  # fmt: skip
    return export_residual(config)


def residual_adapter(run: Path) -> str:
    """Hash of the action adapter that a run keeps."""
    from training.post_training.frozen import module_hash
    from training.post_training.load import load_residual

    return module_hash(load_residual(run).head.coder.adapter)


class Rig:
    """An active vla_policy in this process, on real topics, and what it is told and says."""

    def __init__(self, session: Session, bundle: Path, **parameters: object) -> None:
        self.session = session
        values = {"bundle": str(bundle), "require_robot_contract": False, "skill_timeout": 60.0, **parameters}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.node = VlaPolicy(context=session.context, parameter_overrides=overrides)
        session.executor.add_node(self.node)
        assert self.node.trigger_configure() == self.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        self.chunks: list[interfaces.ActionChunk] = []
        self._skills = session.node.create_publisher(interfaces.Skill, topics.SKILL, topics.latched())
        self._observations = session.node.create_publisher(
            interfaces.Observation, topics.OBSERVATION, topics.newest(False)
        )
        session.node.create_subscription(
            interfaces.ActionChunk, topics.ACTION_CHUNK, self.chunks.append, topics.reliable()
        )
        assert session.wait(lambda: self._observations.get_subscription_count() > 0, 20.0)

    def ask(self, number: int) -> tuple[interfaces.Observation, interfaces.ActionChunk]:
        """Show observation ``number`` under the skill; the chunk that the node answers with."""
        stamp_ns = 10 * STEP_NS + number * STEP_NS
        self._skills.publish(interfaces.Skill(id=1, plan_id=1, prompt=PROMPT, active=True, total=1))
        images = {name: image_to_message(image, stamp_ns, name) for name, image in pictures(number).items()}
        state = np.full(10, 0.1 * (number + 1), np.float32)
        message = observation_to_message(images, state, value_names(tabletop_contract().state), stamp_ns)
        for _ in range(20):  # best effort: what is lost is shown again
            self._observations.publish(message)
            if self.session.wait(lambda: any(c.header.stamp == ns_to_stamp(stamp_ns) for c in self.chunks), 3.0):
                break
        (chunk,) = [c for c in self.chunks if c.header.stamp == ns_to_stamp(stamp_ns)]
        return message, chunk

    def close(self) -> None:
        self.node.trigger_shutdown()
        self.session.executor.remove_node(self.node)
        self.node.destroy_node()


def pictures(number: int) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(number)
    return {name: rng.integers(0, 256, (128, 128, 3), dtype=np.uint8) for name in ("scene", "wrist")}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(new_domain()))
    with Session("world2act_test") as session:
        yield session


@pytest.fixture
def rig(session: Session, bundle: Path) -> Iterator[Rig]:
    made = Rig(session, bundle)
    yield made
    made.close()


def numbers(chunk: interfaces.ActionChunk) -> bytes:
    return np.array(chunk.data, np.float32).tobytes()


def test_the_node_says_what_the_policy_says_in_process(rig: Rig, bundle: Path) -> None:
    loaded = load_bundle(bundle)
    policy, alone = BundlePolicy(loaded), BundlePolicy(load_bundle(bundle.parent / "tiny"))
    book = loaded.code_book()
    assert book is not None
    tracker = AlignmentTracker(book)
    client = GraphClient(rig.session)

    def expected(message: interfaces.Observation, on: bool, start: str) -> tuple[ActionChunk, float]:
        policy.residual_on = on
        chunk = policy.act(observation_from_message(message), PROMPT, skill_id=1)
        return chunk, tracker.score(chunk, start, PROMPT, 0, 1)

    # Two initial states were imagined, and nobody has said which one this is.
    message, said = rig.ask(0)
    chunk, score = expected(message, True, "")
    assert numbers(said) == chunk.actions.tobytes() and math.isnan(said.alignment_score) and math.isnan(score)
    assert said.residual_size == np.float32(chunk.residual_size) > 0.01

    client.set_parameter("vla_policy", "imagined_start", START)
    message, said = rig.ask(1)
    chunk, score = expected(message, True, START)
    assert numbers(said) == chunk.actions.tobytes() and said.alignment_score == np.float32(score) != 0

    client.set_parameter("vla_policy", "residual", False)
    message, said = rig.ask(2)
    chunk, score = expected(message, False, START)
    base = alone.act(observation_from_message(message), PROMPT)
    assert numbers(said) == chunk.actions.tobytes() == base.actions.tobytes() and said.done == np.float32(base.done)
    assert said.residual_size == 0.0 and said.alignment_score == np.float32(score)

    client.set_parameter("vla_policy", "residual", True)
    message, said = rig.ask(3)  # the fourth chunk of a skill of which three were imagined
    chunk, score = expected(message, True, START)
    assert numbers(said) == chunk.actions.tobytes() and said.residual_size > 0.01
    assert math.isnan(said.alignment_score) and math.isnan(score)
    with pytest.raises(GraphError, match="vla_policy does not set threads to 2: .*read-only"):
        client.set_parameter("vla_policy", "threads", 2)


def test_the_command_line_switches_two_graphs_as_well_as_one(session: Session, bundle: Path) -> None:
    rig = Rig(session, bundle, residual_graph="separate", residual=False)
    assert rig.ask(0)[1].residual_size == 0.0
    command = [sys.executable, "-m", "world2act.cli.main", "set", "vla_policy", "residual", "on"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert session.wait(lambda: process.poll() is not None, 60.0)
    assert process.returncode == 0 and process.communicate()[0].strip() == "vla_policy: residual is True now"
    assert rig.ask(1)[1].residual_size > 0.01
    rig.close()


def test_codes_of_other_adapters_are_refused(session: Session, bundle: Path, tmp_path: Path) -> None:
    codes = CodeBook(4, "e" * 64, "v" * 64, False, {START: ImaginedStart((PROMPT,), np.ones((1, 1, 32), np.float32))})
    write_code_book(tmp_path / "codes", codes)
    values = {"bundle": str(bundle), "imagined_codes": str(tmp_path / "codes")}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = VlaPolicy(context=session.context, parameter_overrides=overrides)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "belong to action adapter eeeeeeeeeeee" in node.condition.message
    node.destroy_node()
