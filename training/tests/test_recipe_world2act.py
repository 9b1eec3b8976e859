"""The list of steps behind ``reproduce world2act``: equal budgets, every claim measured, commands to type."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import tyro

from training.cli import COMMANDS, main
from training.evidence.arm import EvaluateArmConfig
from training.evidence.score_claims import ScorePredictsCheckpoint, ScorePredictsSuccess
from training.evidence.success_claims import Better, Rising, Unsaturated
from training.evidence.world2act import BASE, V1, V2, world2act_claims
from training.post_training.config import PostTrainConfig
from training.post_training.pixel_space import PixelConfig
from training.recipes.pipeline.command_line import arguments
from training.recipes.pipeline.step import Step
from training.recipes.world2act.recipe import PRESETS, Preset, _with, places_of, world2act_steps
from training.tests.synthetic_run import TEXT_ENCODER


def steps_of(preset: Preset, **options: Any) -> dict[str, Step]:
    places = places_of(Path("runs") / preset, PRESETS[preset], TEXT_ENCODER)
    return {step.name: step for step in world2act_steps(preset, places, **options)}


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_step_can_be_typed(preset: Preset) -> None:
    for step in steps_of(preset).values():
        if not isinstance(step.config, Mapping):
            kind = getattr(importlib.import_module(COMMANDS[step.command].module), COMMANDS[step.command].config)
            assert tyro.cli(kind, args=arguments(step.config)) == step.config, step.name


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_claim_is_measured_and_paired(preset: Preset) -> None:
    sizes, steps = PRESETS[preset], steps_of(preset)
    measured: dict[str, EvaluateArmConfig] = {
        step.config.out.name: step.config for step in steps.values() if step.command == "evaluate-arm"
    }
    assert len({(c.first_seed, repr(c.rollout), c.robot) for c in measured.values()}) == 1
    used: set[str] = set()
    for claim in world2act_claims(sizes.trajectories, sizes.tasks, sizes.checkpoints):
        if isinstance(claim, Better):
            arms = [claim.better, claim.worse]
        elif isinstance(claim, (Rising, ScorePredictsCheckpoint)):
            arms = list(claim.arms)
        elif isinstance(claim, (Unsaturated, ScorePredictsSuccess)):
            arms = [claim.arm]
        else:
            assert claim.step in steps  # type: ignore[attr-defined]
            continue
        used |= set(arms)
        for arm in arms:
            assert claim.group in measured[arm].groups, (claim.claim, arm)
            if isinstance(claim, (ScorePredictsCheckpoint, ScorePredictsSuccess)):
                assert measured[arm].adapters is not None and measured[arm].imagined is not None
        if isinstance(claim, (Better, Rising)):
            assert {measured[arm].episodes for arm in arms} == {sizes.evaluate.episodes}
    assert used == set(measured)
    assert set(steps["evidence"].uses) >= {f"evaluate-{arm}" for arm in measured}


@pytest.mark.parametrize("preset", list(PRESETS))
def test_arms_differ_in_one_thing(preset: Preset) -> None:
    sizes, steps = PRESETS[preset], steps_of(preset)
    configs = {name.removeprefix("train-"): step.config for name, step in steps.items() if name.startswith("train-")}
    main_arm = configs[V1]
    allowed = {
        V2: {"residual"}, "one-direction": {"objective", "adapters", "keep_every"},
        "global-contrast": {"objective", "adapters", "keep_every"}, "base-wm": {"imagined", "adapters", "keep_every"},
        "recorded-adapters": {"adapters", "keep_every"},
        "bc-target": {"objective", "keep_every"}, "lora": {"method", "keep_every"},
    }  # fmt: skip
    for name, config in configs.items():
        if isinstance(config, PostTrainConfig):
            changed = {f.name for f in fields(config) if getattr(config, f.name) != getattr(main_arm, f.name)} - {"out"}
            assert changed <= allowed.get(name, {"trajectories", "tasks", "keep_every"}), name
            budget = (config.iterations, config.states_per_iteration, config.gradient_steps, config.seed)
            assert budget == (
                main_arm.iterations,
                main_arm.states_per_iteration,
                main_arm.gradient_steps,
                main_arm.seed,
            )
    assert main_arm.trajectories == sizes.trajectories[-1] == sizes.imagine.count
    pixels = [config for config in configs.values() if isinstance(config, PixelConfig)]
    assert {config.trajectories for config in pixels} == set(sizes.trajectories)
    # The same demonstrations as the base policy, no others.
    assert {config.sampling.max_episodes for config in pixels} == {sizes.policy.sampling.max_episodes}
    base, skill = steps["world-model-base"].config, steps["world-model-skill"].config
    assert base == replace(skill, latents=base.latents, out=base.out) and base.steps > 0
    # Every measured checkpoint is one that training keeps.
    kept = range(main_arm.keep_every, main_arm.iterations + 1, main_arm.keep_every)
    assert list(sizes.checkpoints) == list(kept)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_adapters_come_from_the_world_model_that_imagines(preset: Preset) -> None:
    steps = steps_of(preset)
    for arm, model, dataset in ((V1, "skill", "skill-clips"), ("base-wm", "base", "demonstrations")):
        trained = steps[f"train-{arm}"]
        imagined, adapters = (
            next(steps[name] for name in trained.needs if steps[name].produces == (place,))
            for place in (trained.config.imagined, trained.config.adapters)
        )
        (clips,) = (steps[name] for name in adapters.needs)
        assert clips.command == "world-model-imagine" and clips.config.out == adapters.config.latents
        assert clips.config.world_model == imagined.config.world_model == steps[f"world-model-{model}"].config.out
        # The windows that the world model was trained on, and the actions that belong to them.
        assert clips.config.latents == steps[f"world-model-{model}"].config.latents
        assert (adapters.config.dataset,) == steps[dataset].produces
    skill, base = steps["align"].config, steps["align-base"].config
    assert base == replace(skill, latents=base.latents, dataset=base.dataset, out=base.out)


def test_nano_is_what_it_says() -> None:
    sizes, steps = PRESETS["nano"], steps_of("nano")
    hours = sum(step.minutes for step in steps.values()) / 60
    assert 6 < hours < 10  # "about eight", the documentation says
    assert sizes.evaluate.episodes >= 500 and sizes.trajectories == (50, 200, 1000)
    assert sum(step.minutes for step in steps_of("tiny").values()) < 4
    evidence = steps["evidence"].config
    assert evidence.minimum == 500 and evidence.trajectories == sizes.trajectories
    # Demonstrations, imagined starts and evaluation never share a seed.
    demonstrations = range(sizes.collect.first_seed, sizes.collect.first_seed + sizes.collect.episodes)
    evaluation = range(sizes.evaluate.first_seed, sizes.evaluate.first_seed + 5000)
    assert evaluation.stop <= demonstrations.start and demonstrations.stop < sizes.imagine.starts.first_seed
    assert steps["imagine-evaluation"].config.starts.first_seed == sizes.evaluate.first_seed


def test_the_monitor_is_calibrated_on_what_the_arms_were_measured_by() -> None:
    sizes, step = PRESETS["nano"], steps_of("nano")["evaluate-bundle"]
    # As the arms, but never with the monitor that a bundle may already have: calibration refuses such episodes.
    assert step.config.rollout == replace(sizes.evaluate.rollout, monitor="off")
    assert step.config.rollout.skill_seconds == 12.0 and step.config.workers == sizes.evaluate.workers
    assert tyro.cli(type(step.config), args=arguments(step.config)) == step.config


def test_cores_and_places_can_be_chosen(tmp_path: Path) -> None:
    steps = steps_of("nano", workers=16, threads=8)
    assert steps["demonstrations"].config.workers == steps[f"evaluate-{BASE}"].config.workers == 16
    assert steps["base-policy"].config.threads == 8
    assert steps["evaluate-bundle"].config.workers == 16
    bare = replace(steps["evaluate-bundle"], config={"bundle": Path("models/mine")})
    assert _with(bare, {"workers": 16, "threads": 8}) == {"bundle": Path("models/mine"), "workers": 16}
    places = places_of(tmp_path, PRESETS["nano"], TEXT_ENCODER, Path("data/mine"))
    elsewhere = {step.name: step for step in world2act_steps("nano", places)}
    assert elsewhere["demonstrations"].config.out == Path("data/mine")
    assert elsewhere["frames"].produces == (Path("data/mine/cache-96"),)


def test_the_command_refuses_what_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path), "--text-encoder", str(TEXT_ENCODER)]
    assert main(["reproduce", "world2act", *out, "--only", "evaluate-lara", "--list"]) == 1
    assert "no step 'evaluate-lara'; did you mean evaluate-lora" in capsys.readouterr().err
    assert main(["reproduce", "world2act", *out, "--from", "wae"]) == 1
    assert "did you mean vae" in capsys.readouterr().err
    assert main(["reproduce", "world2act", "--text-encoder", str(tmp_path)]) == 1
    assert "export-text-encoder" in capsys.readouterr().err
    assert main(["reproduce", "world2act", *out, "--only", "train-lora", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "imagine-skill" in shown and "train-lora" in shown and "evaluate" not in shown
    assert not list(tmp_path.iterdir())
