"""Steps after post-training: every arm measured, the exported graph timed, the monitor calibrated, the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from training.evaluation.evaluate import EvaluateConfig
from training.evidence.arm import EvaluateArmConfig
from training.evidence.command import EvidenceConfig
from training.evidence.groups import GroupName
from training.evidence.latency import LATENCY
from training.evidence.world2act import BASE, V1, V2, at_iteration
from training.post_training.trainer import KEPT
from training.recipes.pipeline.step import Step
from training.recipes.world2act.arms import EVERYWHERE, ArmPlan
from training.recipes.world2act.places import Places
from training.recipes.world2act.sizes import Sizes

FILMED = (BASE, V1)


def base_step(sizes: Sizes, places: Places) -> Step:
    """The base policy measured: before anything else is built on it, for a saturated one is of no use."""
    groups: tuple[GroupName, ...] = (*EVERYWHERE, "unseen-tasks")
    return _measure(_config(sizes, places, BASE, base=places.policy, groups=groups), "base-policy")


def arm_steps(sizes: Sizes, places: Places, plans: Iterable[ArmPlan]) -> Iterator[Step]:
    """Every arm trained and measured, one after the other."""
    for plan in plans:
        yield plan.step()
        config = _config(sizes, places, plan.name, base=plan.base, residual=plan.residual, groups=plan.groups)
        scored = plan.name in (V1, V2)
        yield _measure(_scored(config, places) if scored else config, plan.step().name)


def checkpoint_steps(sizes: Sizes, places: Places) -> Iterator[Step]:
    """What the alignment score says of the main arms' checkpoints; number 0 is the base policy."""
    for method, iteration in [(V1, 0), *((method, n) for method in (V1, V2) for n in sizes.checkpoints)]:
        checkpoint = places.arm(method) / KEPT / f"step-{iteration:08d}" if iteration else None
        config = _config(
            sizes,
            places,
            at_iteration(method, iteration),
            base=places.policy,
            residual=checkpoint,
            groups=("seen",),
            episodes=sizes.checkpoint_episodes,
        )
        yield _measure(_scored(config, places), f"train-{method}" if iteration else "base-policy")


def robot_steps(sizes: Sizes, places: Places) -> Iterator[Step]:
    """World2Act v1 as a bundle, and what its residual costs. Steps whose command is not there yet are left out."""
    bundle = places.bundle(V1)
    export: dict[str, Any] = {
        "run": places.arm(V1),
        "base": places.bundle("base"),
        "out": bundle,
        "cache": places.cache,
        "samples": sizes.export.samples,
    }
    yield Step("export-residual", "export-residual", export, (bundle,), ("base-bundle", f"train-{V1}"), overwrites=True)
    latency = replace(
        sizes.latency,
        base=bundle / "policy.onnx",
        residual=bundle / "policy-residual.onnx",
        out=places.measured("latency"),
    )
    files = (latency.out / LATENCY,)
    yield Step("measure-latency", "measure-latency", latency, files, ("export-residual",), overwrites=True)
    if sizes.calibrate:
        yield from _monitor(sizes, places)


def _monitor(sizes: Sizes, places: Places) -> Iterator[Step]:
    """The run-time monitor, from episodes of the bundle whose starts were imagined."""
    bundle, measured = places.bundle(V1), places.measured(f"bundle-{V1}")
    book = places.root / "imagined-evaluation-codes.safetensors"
    codes: dict[str, Any] = {"imagined": places.imagined("evaluation"), "adapters": places.root / "align", "out": book}
    yield Step("code-imagined", "imagined-codes", codes, (book,), ("align", "imagine-evaluation"), overwrites=True)
    # Calibration needs episodes that no monitor has cut short, also when the bundle has one from the last time.
    evaluate = EvaluateConfig(
        bundle=bundle,
        out=measured,
        kinds=("composite",),
        episodes=sizes.evaluate.episodes,
        first_seed=sizes.evaluate.first_seed,
        workers=sizes.evaluate.workers,
        videos=0,
        imagined_codes=book,
        rollout=replace(sizes.evaluate.rollout, monitor="off"),
    )
    needs = ("export-residual", "code-imagined")
    yield Step("evaluate-bundle", "evaluate", evaluate, (measured / "evaluation.json",), needs, overwrites=True)
    monitor: dict[str, Any] = {"evaluations": (measured,), "bundle": bundle}
    files = (measured / "monitor",)
    yield Step("calibrate-monitor", "calibrate-monitor", monitor, files, ("evaluate-bundle",), overwrites=True)


def evidence_step(sizes: Sizes, places: Places, preset: str, before: Sequence[Step]) -> Step:
    """The table, from whatever was measured before it."""
    config = EvidenceConfig(
        preset=preset,
        runs=places.root,
        out=places.evidence,
        trajectories=sizes.trajectories,
        tasks=sizes.tasks,
        checkpoints=sizes.checkpoints,
    )
    uses = [step.name for step in before if step.name.startswith("evaluate-") or step.name in REPORTS]
    return Step("evidence", "evidence", config, (places.evidence,), uses=tuple(uses), overwrites=True)


REPORTS = ("compare-world-models", "align", "align-recorded", "measure-imagination", "measure-latency")
"""Steps besides the measured arms whose reports the evidence reads."""


def _config(sizes: Sizes, places: Places, name: str, **changes: Any) -> EvaluateArmConfig:
    films = sizes.films if name in FILMED else 0
    out = places.measured(name)
    return replace(sizes.evaluate, out=out, text_encoder=places.text_encoder, films=films, **changes)


def _scored(config: EvaluateArmConfig, places: Places) -> EvaluateArmConfig:
    return replace(config, adapters=places.root / "align", imagined=places.imagined("evaluation"))


def _measure(config: EvaluateArmConfig, trained: str) -> Step:
    needs = (trained, "align", "imagine-evaluation") if config.adapters is not None else (trained,)
    # Episodes of another policy or protocol are told apart by their identity, so nothing needs to be put aside.
    return Step(f"evaluate-{config.out.name}", "evaluate-arm", config, (config.out,), needs, overwrites=True)
