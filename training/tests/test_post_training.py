"""Post-training on fixed rollouts: it learns, resumes exactly, and leaves what is frozen alone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from training.common.checkpoint import latest_checkpoint, read_info, read_tensors
from training.common.errors import CheckpointError, TrainingError
from training.post_training import command as module
from training.post_training import parts
from training.post_training.command import check_settings, post_train, run
from training.post_training.config import (
    LoraSettings,
    ObjectiveConfig,
    PostTrainConfig,
    ResidualConfig,
    RolloutSettings,
)
from training.post_training.frozen import FrozenGuard, module_hash
from training.post_training.load import load_residual
from training.post_training.policies import BaseSource, NanoVlaPolicy
from training.post_training.samples import collate
from training.post_training.students import LoraStudent, ResidualStudent
from training.post_training.trainer import PostTrainer
from training.tests.synthetic_post_training import (
    CHUNKS,
    CONTRACT,
    FixedCollector,
    FixedPolicy,
    TinyActionAdapter,
    TinyVideoAdapter,
    fixed_rollouts,
    imagined_codes,
    imagined_run,
    some_inputs,
    stir,
    tiny_head,
    tiny_vla,
    tiny_vla_run,
)
from training.tests.synthetic_run import TEXT_ENCODER
from training.vla.train import load_trained

FACTS = {"contract": CONTRACT.to_text(), "world_model": "a" * 64, "vae": "0" * 64}
BOUND = ResidualConfig(bound=(0.5,))


def settings(out: Path, **changes: object) -> PostTrainConfig:
    values: dict[str, object] = {
        "iterations": 4, "states_per_iteration": 8, "gradient_steps": 3, "warmup_steps": 1, "learning_rate": 3e-3,
        "trajectories": 8, "residual": BOUND, "text_encoder": TEXT_ENCODER, "threads": 1, "workers": 0, **changes,
    }  # fmt: skip
    return PostTrainConfig(out=out, **values)  # type: ignore[arg-type]


def trainer_for(config: PostTrainConfig, facts: dict[str, Any] = FACTS, adapter: int = 0) -> PostTrainer:
    head = tiny_head(7, TinyActionAdapter(adapter), **dataclasses.asdict(config.residual))
    student = ResidualStudent(head, FixedPolicy(some_inputs(1)[2][0].numpy()), "base")
    return PostTrainer(config, student, head.coder, imagined_codes(), facts)


def test_training_brings_executed_chunks_nearer_to_what_was_imagined(tmp_path: Path) -> None:
    config = settings(tmp_path, iterations=8, gradient_steps=10)
    trainer = trainer_for(config)
    folder = run(trainer, FixedCollector(fixed_rollouts()))
    first, last = trainer.history[0], trainer.history[-1]
    assert last["contrast"] < 0.5 * first["contrast"]
    assert last["alignment"] > first["alignment_before"] + 0.2
    assert last["retrieval"] > 0.9 and last["chance"] < 0.15
    assert first["chunks"] == 8 * CHUNKS - 1
    assert 0 < last["change"] <= 0.5
    info = read_info(folder)
    assert info["optimiser_steps"] == 80 and info["method"] == "residual" and info["step"] == 8
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize("variant", ["action", "latent"])
def test_two_iterations_and_two_more_equal_four(tmp_path: Path, variant: str) -> None:
    residual = ResidualConfig(variant=variant)  # type: ignore[arg-type]
    config = settings(tmp_path / "whole", states_per_iteration=6, batch_states=4, residual=residual)
    whole = run(trainer_for(config), FixedCollector(fixed_rollouts()))
    halves = dataclasses.replace(config, out=tmp_path / "halves")
    first, collector = trainer_for(halves), FixedCollector(fixed_rollouts())
    first.advance(collector)
    first.advance(collector)
    first.save()
    resumed = run(trainer_for(halves), collector)
    assert len(collector.asked) == 4
    for group in ("student", "optimiser", "random"):
        a, b = read_tensors(whole, group), read_tensors(resumed, group)
        assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a), group
    assert any(name.endswith("exp_avg") for name in read_tensors(whole, "optimiser"))


def test_frozen_parts_keep_every_bit(tmp_path: Path) -> None:
    config = settings(tmp_path)
    trainer = trainer_for(config)
    before = module_hash(trainer.coder.adapter)
    weights = {name: value.clone() for name, value in trainer.student.tensors().items()}
    run(trainer, FixedCollector(fixed_rollouts()))
    assert (
        module_hash(trainer.coder.adapter)
        == before
        == read_info(latest_checkpoint(tmp_path))["frozen"]["action_adapter"]
    )
    changed = {name for name, value in trainer.student.tensors().items() if not torch.equal(value, weights[name])}
    assert {"network.head.2.weight", "normalisation.state_mean"} <= changed and "bound" not in changed
    guard = FrozenGuard({"adapter": lambda: module_hash(trainer.coder.adapter)})
    with torch.no_grad():
        next(trainer.coder.adapter.parameters()).add_(1e-3)
    with pytest.raises(TrainingError, match="frozen parts: adapter"):
        guard.check()


def test_what_belongs_together_is_checked_when_a_run_continues(tmp_path: Path) -> None:
    config = settings(tmp_path, iterations=1)
    run(trainer_for(config), FixedCollector(fixed_rollouts()))
    collector = FixedCollector(fixed_rollouts())
    for wrong, name in (
        (trainer_for(dataclasses.replace(config, learning_rate=0.1)), "learning_rate"),
        (trainer_for(config, {**FACTS, "world_model": "b" * 64}), "world_model"),
        (trainer_for(config, {**FACTS, "vae": "1" * 64}), "vae"),
        (trainer_for(config, {**FACTS, "contract": "robot: other"}), "contract"),
        (trainer_for(config, adapter=1), "frozen"),
    ):
        with pytest.raises(CheckpointError, match=f"trained otherwise.*{name}"):
            run(wrong, collector)
    run(trainer_for(dataclasses.replace(config, iterations=2, workers=9)), collector)
    assert len(collector.asked) == 1


def test_latents_imagined_otherwise_are_other_latents(tmp_path: Path) -> None:
    """The same world model and VAE, but another noise, other steps, or recordings in the place of imagination."""
    origin = vars(imagined_run(tmp_path / "imagined").origin)
    begun = {**FACTS, "imagined": origin}
    config = settings(tmp_path / "run", iterations=1)
    run(trainer_for(config, begun), FixedCollector(fixed_rollouts()))
    more, collector = dataclasses.replace(config, iterations=2), FixedCollector(fixed_rollouts())
    for name, value in (("seed", 1), ("steps", 4), ("source", "expert")):
        other = trainer_for(more, {**FACTS, "imagined": {**origin, name: value}})
        said = rf"trained otherwise.*'imagined.{name}': \({origin[name]!r}, {value!r}\).*another --out, or go back"
        with pytest.raises(CheckpointError, match=said):
            run(other, collector)
    assert not collector.asked
    run(trainer_for(more, begun), collector)
    # A checkpoint that does not say how its latents were imagined goes on.
    older = dataclasses.replace(config, out=tmp_path / "older")
    run(trainer_for(older), FixedCollector(fixed_rollouts()))
    run(trainer_for(dataclasses.replace(older, iterations=2), begun), collector)
    assert len(collector.asked) == 2


def test_states_come_once_per_pass_and_iteration(tmp_path: Path) -> None:
    trainer = trainer_for(settings(tmp_path, states_per_iteration=3))
    passes = [[trainer.states(i) for i in (turn, turn + 1)] for turn in (0, 2, 4)]
    for first, second in passes:
        assert len({*first, *second}) == 6
    assert passes[0] != passes[1]
    assert trainer_for(settings(tmp_path, states_per_iteration=3)).states(5) == trainer.states(5)


def test_samples_find_their_codes_and_unvisited_chunks_are_masked() -> None:
    codes, rollouts = imagined_codes(), fixed_rollouts()
    samples = collate([rollouts[3], rollouts[1]], codes, torch.device("cpu"))
    assert len(samples) == 2 * CHUNKS - 1 and samples.mask.tolist() == [[True] * 3, [True, True, False]]
    assert torch.equal(samples.imagined[1], codes.codes[1][0])
    values = samples.scatter(samples.base[:, 0])
    assert torch.equal(values[1, 1], torch.from_numpy(rollouts[1].base[1, 0])) and not values[1, 2].any()
    twice = dataclasses.replace(rollouts[1], slots=rollouts[1].slots * 0)
    again = collate([rollouts[3], twice], codes, torch.device("cpu"))
    assert len(again) == CHUNKS + 1 and torch.equal(again.base[-1], torch.from_numpy(twice.base[0]))


def test_bc_target_approaches_the_decoded_codes(tmp_path: Path) -> None:
    config = settings(tmp_path, iterations=6, gradient_steps=10, objective=ObjectiveConfig(target="bc"))
    config = dataclasses.replace(config, residual=ResidualConfig(bound=(2.0,)))
    trainer = trainer_for(config)
    samples = collate(fixed_rollouts(), imagined_codes(), torch.device("cpu"))
    decoded = trainer.coder.decode(imagined_codes().codes[3][0])[0].clamp(-1, 1)  # [4, 7]
    with torch.no_grad():
        base = trainer.coder.scale.normalise(samples.base[:, :4])
    row = int((samples.place == 3 * CHUNKS).nonzero())
    before = (base[row] - decoded).abs().mean()
    run(trainer, FixedCollector(fixed_rollouts()))
    with torch.no_grad():
        after = (trainer.coder.scale.normalise(trainer.student.executed(samples))[row] - decoded).abs().mean()
    assert after < 0.6 * before and trainer.history[-1]["loss"] < 0.6 * trainer.history[0]["loss"]


def test_lora_changes_only_its_own_matrices(tmp_path: Path) -> None:
    from world2act_core.text_encoder import TextEncoder

    policy = NanoVlaPolicy(tiny_vla(), TextEncoder(TEXT_ENCODER))
    before = module_hash(policy.model)
    images, state, _ = some_inputs(3)
    arguments = (images, state, policy.embed(["pick up the can"] * 3), torch.zeros(3, 8, 7))
    with torch.no_grad():
        base = policy.model.act(*arguments)[0]
    student = LoraStudent(policy, LoraSettings(rank=4), 4, seed=0)
    with torch.no_grad():
        assert torch.equal(policy.model.act(*arguments)[0], base)  # the second matrices start at zero
    head = tiny_head()
    config = settings(tmp_path, method="lora", iterations=2)
    trainer = PostTrainer(config, student, head.coder, imagined_codes(), FACTS)
    run(trainer, FixedCollector(fixed_rollouts()))
    with torch.no_grad():
        assert not torch.equal(policy.model.act(*arguments)[0], base)
    assert module_hash(policy.model) == before == student.frozen_hash()
    assert trainer.history[-1]["contrast"] < trainer.history[0]["contrast"]
    assert all("lora_" in name and not name.startswith(("language", "done_head")) for name in student.tensors())


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A base run, adapters (by stand-in) and imagined latents on disk; rollouts that are made up."""
    adapters = tmp_path / "adapters" / "step-00000001"
    adapters.mkdir(parents=True)
    (adapters / "checkpoint.json").write_text("{}")

    def open_adapters(folder: Path, contract: object = None, vae: str | None = None) -> tuple[object, object, object]:
        assert vae in (None, "0" * 64)
        return TinyVideoAdapter(), TinyActionAdapter(), SimpleNamespace(folder=adapters)

    monkeypatch.setattr(parts, "open_adapters", open_adapters)
    monkeypatch.setattr(module, "open_adapters", open_adapters)
    monkeypatch.setattr(
        module, "_collector", lambda config, *_: FixedCollector(fixed_rollouts()) if config.trajectories else None
    )
    imagined_run(tmp_path / "imagined")
    return {"base": tiny_vla_run(tmp_path / "vla"), "adapters": adapters, "imagined": tmp_path / "imagined"}


def test_the_command_and_what_it_leaves(frozen: dict[str, Path], tmp_path: Path) -> None:
    config = settings(tmp_path / "out", **frozen)
    folder = post_train(config)
    trained = load_residual(config.out)
    assert trained.folder == folder and trained.info["world_model"] == "a" * 64
    images, state, base = some_inputs(2)
    with torch.no_grad():
        assert not torch.equal(trained.head(images, state, base), base)
        zero = load_residual(config.out, TinyActionAdapter(), strength=0.0).head(images, state, base)
    assert torch.equal(zero.view(torch.int32), base.contiguous().view(torch.int32))
    with pytest.raises(CheckpointError, match="trained with action adapter"):
        load_residual(config.out, TinyActionAdapter(seed=5))
    assert (
        module_hash(BaseSource(frozen["base"], TEXT_ENCODER).open_checkpoint().model) == trained.info["frozen"]["base"]
    )
    assert json.loads((folder / "checkpoint.json").read_text())["seconds"]["optimiser"] > 0


def test_adapters_of_a_run_that_never_began_are_replaced(frozen: dict[str, Path], tmp_path: Path) -> None:
    """Killed in its first iteration and begun anew with other adapters: the copy is of those it is trained on."""
    config = settings(tmp_path / "out", **frozen)
    copy = config.out / "adapters"
    copy.mkdir(parents=True)
    (copy / "checkpoint.json").write_text('{"other": "adapters"}')
    (copy / "adapters.safetensors").write_bytes(b"other")
    post_train(config)
    assert {path.name: path.read_text() for path in copy.iterdir()} == {"checkpoint.json": "{}"}
    (copy / "checkpoint.json").write_text('{"kept": true}')
    post_train(dataclasses.replace(config, iterations=5))
    assert json.loads((copy / "checkpoint.json").read_text()) == {"kept": True}


def test_policy_rollouts_and_imagined_pictures_are_of_one_robot(frozen: dict[str, Path], tmp_path: Path) -> None:
    config = settings(tmp_path / "out", **frozen)
    other = dataclasses.replace(config, rollout=RolloutSettings(robot="UR5e"))
    with pytest.raises(
        TrainingError, match=r"--base .*vla is of Panda, --rollout.robot is of UR5e, --imagined .* Panda"
    ):
        post_train(other)
    imagined_run(tmp_path / "ur5e", robot="UR5e")
    with pytest.raises(TrainingError, match=r"not all of one robot: .*--imagined .*ur5e is of UR5e"):
        post_train(dataclasses.replace(config, imagined=tmp_path / "ur5e"))
    assert not (config.out / "adapters").exists()


def test_a_run_does_not_go_on_with_another_video_adapter_or_text_encoder(
    frozen: dict[str, Path], tmp_path: Path
) -> None:
    config = settings(tmp_path / "out", **frozen, iterations=1)
    info = read_info(post_train(config))
    path = latest_checkpoint(config.out) / "checkpoint.json"
    for name in ("video_adapter", "text_encoder"):
        path.write_text(json.dumps({**info, name: "f" * 64}))
        with pytest.raises(CheckpointError, match=rf"trained otherwise.*'{name}': \('ffffffffffff', "):
            post_train(dataclasses.replace(config, iterations=2))
    path.write_text(json.dumps({name: value for name, value in info.items() if name != "video_adapter"}))
    assert post_train(dataclasses.replace(config, iterations=2)).name == "step-00000002"


def test_no_trajectories_leave_the_base_policy(frozen: dict[str, Path], tmp_path: Path) -> None:
    config = settings(tmp_path / "out", **frozen, trajectories=0)
    post_train(config)
    images, state, base = some_inputs(2)
    with torch.no_grad():
        result = load_residual(config.out).head(images, state, base)
    assert torch.equal(result.view(torch.int32), base.contiguous().view(torch.int32))


def test_lora_leaves_a_policy_that_export_can_read(frozen: dict[str, Path], tmp_path: Path) -> None:
    config = settings(tmp_path / "out", **frozen, method="lora", lora=LoraSettings(rank=2))
    folder = post_train(config)
    plain, info = load_trained(config.out / "merged")
    adapted = LoraStudent(BaseSource(frozen["base"], TEXT_ENCODER).open_checkpoint(), config.lora, 4, config.seed)
    adapted.load(read_tensors(folder, "student"))
    images, state, _ = some_inputs(2)
    text = adapted.base.embed(["pick up the can"] * 2)
    with torch.no_grad():
        expected = adapted.base.model.act(images, state, text, torch.zeros(2, 8, 7))[0]
        torch.testing.assert_close(plain.act(images, state, text, torch.zeros(2, 8, 7))[0], expected)
    assert info["history"][-1].startswith("post-train --method lora")
    with pytest.raises(CheckpointError, match="no residual head but 'lora'"):
        load_residual(config.out)


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="at least two initial states"):
        check_settings(settings(tmp_path, trajectories=1))
    check_settings(settings(tmp_path, trajectories=1, objective=ObjectiveConfig(target="bc")))
    with pytest.raises(TrainingError, match="temperature"):
        check_settings(settings(tmp_path, objective=ObjectiveConfig(temperature=0.0)))
    with pytest.raises(TrainingError, match="--states-per-iteration must be at least 1"):
        check_settings(settings(tmp_path, states_per_iteration=0))
    with pytest.raises(TrainingError, match="--residual.token 32 is not divisible by --residual.heads 5"):
        check_settings(settings(tmp_path, residual=ResidualConfig(heads=5)))
    with pytest.raises(TrainingError, match="--objective.size-penalty is for --method residual"):
        check_settings(settings(tmp_path, method="lora", objective=ObjectiveConfig(size_penalty=0.1)))
    with pytest.raises(TrainingError, match="neither a bundle nor a run"):
        BaseSource(tmp_path, TEXT_ENCODER).open()
    trainer = trainer_for(settings(tmp_path))
    with pytest.raises(TrainingError, match="no rollout has a chunk"):
        empty = [dataclasses.replace(t, slots=t.slots[:0]) for t in fixed_rollouts()]
        trainer.advance(FixedCollector(empty))
    wrong = tiny_head()
    stir(wrong.network, 0.1)
    with pytest.raises(CheckpointError, match="another residual head"):
        trainer.student.load({name: value for name, value in wrong.own_tensors().items() if "kinds" not in name})
