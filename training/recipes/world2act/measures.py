"""Steps after post-training: every arm measured, the exported graph timed, the monitor calibrated, the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from training.evidence.arm import ARM, EvaluateArmConfig
from training.evidence.command import EvidenceConfig
from training.evidence.groups import GroupName
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
    """World2Act v1 as a bundle: its latency and its monitor. Steps whose command is not there yet are left out."""
    bundle, measured = places.bundle(V1), places.measured(f"bundle-{V1}")
    fuse: dict[str, Any] = {"bundle": places.bundle("base"), "residual": places.arm(V1), "out": bundle}
    yield Step("export-residual", "export-residual", fuse, (bundle,), ("base-bundle", f"train-{V1}"), overwrites=True)
    latency = replace(sizes.latency, base=places.bundle("base"), residual=bundle, out=places.measured("latency"))
    yield Step("measure-latency", "measure-latency", latency, (latency.out,), ("export-residual",), overwrites=True)
    evaluate: dict[str, Any] = {
        "bundle": bundle, "out": measured, "kinds": ("composite",), "episodes": sizes.evaluate.episodes,
        "first_seed": sizes.evaluate.first_seed, "rollout": sizes.evaluate.rollout, "videos": 0,
    }  # fmt: skip
    yield Step("evaluate-bundle", "evaluate", evaluate, (measured,), ("export-residual",), overwrites=True)
    monitor: dict[str, Any] = {"evaluations": (measured,), "bundle": bundle}
    yield Step(
        "calibrate-monitor",
        "calibrate-monitor",
        monitor,
        (measured / "monitor",),
        ("evaluate-bundle",),
        overwrites=True,
    )


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


REPORTS = ("compare-world-models", "align", "measure-latency")
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
    files = (config.out / ARM,)
    return Step(f"evaluate-{config.out.name}", "evaluate-arm", config, files, needs, overwrites=True)
