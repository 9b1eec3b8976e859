"""One evaluation path for every arm: in the simulator, resumable, with scores and films."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.common.errors import EvaluationError, TrainingError
from training.evaluation.rollout import Episode, RolloutConfig
from training.evidence.arm import EvaluateArmConfig, _digest, arm_facts, evaluate_arm
from training.evidence.arms import read_arm
from training.evidence.latency import LatencyConfig, measure_latency
from training.evidence.probe import ScoredPolicy
from training.post_training.actions import ChunkCoder
from training.post_training.imagined import ImaginedCodes
from training.post_training.initial_states import InitialState
from training.tests.synthetic_post_training import (
    CODE,
    CONTRACT,
    FixedPolicy,
    TinyActionAdapter,
    TinyVideoAdapter,
    imagined_run,
    some_inputs,
    tiny_vla_run,
)
from training.tests.synthetic_run import TEXT_ENCODER
from world2act_core.types import Observation

GRAPH = TEXT_ENCODER.parent / "tabletop-nano/policy.onnx"


def settings(root: Path, **changes: object) -> EvaluateArmConfig:
    values: dict[str, object] = {
        "base": root / "vla", "out": root / "evaluation/base", "text_encoder": TEXT_ENCODER, "groups": ("seen",),
        "episodes": 2, "workers": 0, "rollout": RolloutConfig(skill_seconds=0.4), **changes,
    }  # fmt: skip
    return EvaluateArmConfig(**values)  # type: ignore[arg-type]


@pytest.mark.long
def test_an_arm_is_measured_once(tmp_path: Path) -> None:
    tiny_vla_run(tmp_path / "vla")
    config = settings(tmp_path)
    report = evaluate_arm(config)
    lines = (config.out / "episodes.jsonl").read_text().splitlines()
    assert len(lines) == 2 and report["groups"]["seen"]["n"] == 2 and report["arm"] == "base"
    more = replace(config, episodes=3, films=1)
    second = evaluate_arm(more)
    # The two episodes stay, bit for bit; the first one is run again for its film only.
    assert (config.out / "episodes.jsonl").read_text().splitlines()[:2] == lines
    assert second["identity"] == report["identity"] and second["groups"]["seen"]["n"] == 3
    film = second["films"][0]
    assert (config.out / film["file"]).stat().st_size > 0 and film["seed"] == 10_000
    assert evaluate_arm(more) == second
    arm = read_arm(config.out)
    assert arm is not None and [e.seed for e in arm.episodes("seen")] == [10_000, 10_001, 10_002]
    # Another protocol or another policy shares nothing with these.
    assert arm_facts(replace(config, rollout=RolloutConfig()))["identity"] != report["identity"]
    tiny_vla_run_with_other_weights(tmp_path / "vla")
    facts = arm_facts(config)
    assert facts["identity"] != report["identity"] and facts["protocol"] == report["protocol"]


def tiny_vla_run_with_other_weights(root: Path) -> None:
    from training.common.checkpoint import latest_checkpoint, read_info, read_tensors, save_checkpoint

    folder = latest_checkpoint(root)
    average = {name: value + 0.01 for name, value in read_tensors(folder, "average").items()}
    save_checkpoint(root, 2, {"model": read_tensors(folder, "model"), "average": average}, read_info(folder))


def test_bad_input_is_refused(tmp_path: Path) -> None:
    tiny_vla_run(tmp_path / "vla")
    with pytest.raises(EvaluationError, match="needs both --adapters and --imagined"):
        evaluate_arm(settings(tmp_path, adapters=tmp_path))
    with pytest.raises(EvaluationError, match=r"no groups \['moon'\]: there are seen, perturbed"):
        evaluate_arm(settings(tmp_path, groups=("moon",)))
    with pytest.raises(TrainingError, match="neither a bundle nor a run"):
        evaluate_arm(settings(tmp_path, base=tmp_path / "nothing"))
    with pytest.raises(EvaluationError, match=r"there is no graph .*policy.onnx"):
        measure_latency(LatencyConfig(base=tmp_path / "policy.onnx", residual=GRAPH, out=tmp_path))


def test_the_score_compares_chunks_with_the_codes_of_their_place() -> None:
    coder = ChunkCoder(CONTRACT, TinyActionAdapter())
    chunk = some_inputs(1)[2][0]
    own = coder.code_of(chunk[None])[0].detach()
    # Two skills of two chunks: the first chunk of each is the policy's own code, the second one its opposite.
    codes = torch.stack([torch.stack([own, -own])] * 2)
    state = InitialState("place", "seen", 7, ("a", "b"))
    probe = ScoredPolicy(FixedPolicy(chunk.numpy()), coder, ImaginedCodes((state,), (codes,), whole_episode=False))
    assert codes.shape[-1] == CODE and probe.score is None

    def ask(tick: int, skill: int) -> None:
        probe.act(Observation(tick * 0.1, {}, torch.zeros(10).numpy()), "", skill_id=skill)

    probe.begin(state.episode)
    ask(0, 0)
    assert probe.score == pytest.approx(1.0)
    for tick, skill in ((4, 0), (8, 0), (12, 1)):  # the third query has no imagined counterpart
        ask(tick, skill)
    assert probe.score == pytest.approx((1 - 1 + 1) / 3)
    probe.begin(Episode("pick", "seen", 1))
    ask(0, 0)
    assert probe.score is None


@pytest.mark.long
def test_scores_of_other_imagined_latents_are_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def adapters(*_: object) -> tuple[TinyVideoAdapter, TinyActionAdapter, None]:
        return TinyVideoAdapter(), TinyActionAdapter(), None

    monkeypatch.setattr("training.evidence.probe.open_adapters", adapters)
    tiny_vla_run(tmp_path / "vla")
    stores = {seed: imagined_run(tmp_path / f"imagined-{seed}", seed=seed).root for seed in (0, 1)}
    config = settings(tmp_path, episodes=1, adapters=tmp_path, imagined=stores[0])
    report = evaluate_arm(config)
    assert report["scorer"]["imagined"]["seed"] == 0 and evaluate_arm(config)["identity"] == report["identity"]
    lines = config.out / "episodes.jsonl"
    assert len(lines.read_text().splitlines()) == 1
    other = evaluate_arm(replace(config, imagined=stores[1]))
    assert other["identity"] != report["identity"] and len(lines.read_text().splitlines()) == 2
    # Episodes from before a score said how its latents were imagined stay, and more are added to them.
    arm = read_arm(config.out)
    assert arm is not None
    older = dict(arm.facts["scorer"])
    del older["imagined"]
    identity = _digest({"policy": other["policy"], "protocol": other["protocol"], "scorer": older})
    lines.write_text(lines.read_text().splitlines()[0].replace(report["identity"], identity) + "\n")
    kept = evaluate_arm(replace(config, episodes=2))
    assert kept["identity"] == identity and kept["scorer"] == older and len(lines.read_text().splitlines()) == 2


def test_latency_of_a_graph_beside_itself(tmp_path: Path) -> None:
    report = measure_latency(LatencyConfig(base=GRAPH, residual=GRAPH, out=tmp_path, rounds=3, warm_up=1))
    assert json.loads((tmp_path / "latency.json").read_text()) == report
    assert report["milliseconds"]["base"] > 0 and report["graphs"]["base"] == report["graphs"]["residual"]
    with pytest.raises(EvaluationError, match="at least 2"):
        measure_latency(LatencyConfig(rounds=1))
