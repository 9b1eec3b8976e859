"""Steps after post-training: every arm measured, the exported graph timed, the monitor calibrated, the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from training.evidence.arm import EvaluateArmConfig
from training.evidence.command import EvidenceConfig
from training.evidence.world2act import BASE, V1, V2, at_iteration
from training.recipes.pipeline.step import Step
from training.recipes.world2act.arms import EVERYWHERE, ArmPlan
from training.recipes.world2act.places import Places
from training.recipes.world2act.sizes import Sizes

SCORED = (V1, V2)
"""Arms whose alignment score is measured besides the base policy's."""
FILMED = (BASE, V1)


def measures(sizes: Sizes, places: Places, plans: Sequence[ArmPlan]) -> Iterator[Step]:
    """In order."""
    base = _config(sizes, places, BASE, base=places.policy, groups=(*EVERYWHERE, "unseen-tasks"))
    yield _measure(base, ("base-policy",))
    for plan in plans:
        config = _config(sizes, places, plan.name, base=plan.base, residual=plan.residual, groups=plan.groups)
        yield _measure(config, (f"train-{plan.name}",))
    for plan in plans:
        if plan.name in SCORED:
            yield from _checkpoints(sizes, places, plan)


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
    config = replace(sizes.evaluate, out=places.measured(name), text_encoder=places.text_encoder, **changes)
    if name in FILMED:
        config = replace(config, films=sizes.films)
    if name == BASE or name.startswith(SCORED):
        config = replace(config, adapters=places.root / "align", imagined=places.imagined("evaluation"))
    return config


def _checkpoints(sizes: Sizes, places: Places, plan: ArmPlan) -> Iterator[Step]:
    for iteration in sizes.checkpoints:
        config = _config(
            sizes,
            places,
            at_iteration(plan.name, iteration),
            base=plan.base,
            residual=places.arm(plan.name) / "kept" / f"step-{iteration:08d}",
            groups=("seen",),
            episodes=sizes.checkpoint_episodes,
        )
        yield _measure(config, (f"train-{plan.name}",))


def _measure(config: EvaluateArmConfig, needs: tuple[str, ...]) -> Step:
    scored = ("align", "imagine-evaluation") if config.adapters is not None else ()
    name = f"evaluate-{config.out.name}"
    # Episodes of another policy or protocol are told apart by their identity.
    return Step(name, "evaluate-arm", config, (config.out / "arm.json",), needs=(*needs, *scored), overwrites=True)
