"""The whole list of steps of a preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from training.recipes.pipeline.step import Step, check_steps, options_of
from training.recipes.world2act.arms import arm_plans
from training.recipes.world2act.estimates import estimate
from training.recipes.world2act.foundations import imagination_steps, policy_steps
from training.recipes.world2act.measures import (
    arm_steps,
    base_step,
    checkpoint_steps,
    evidence_step,
    robot_steps,
)
from training.recipes.world2act.nano import NANO
from training.recipes.world2act.places import Places
from training.recipes.world2act.sizes import Sizes
from training.recipes.world2act.tiny import TINY

Preset = Literal["nano", "tiny"]
PRESETS: dict[Preset, Sizes] = {"nano": NANO, "tiny": TINY}


def places_of(root: Path, sizes: Sizes, text_encoder: Path, dataset: Path | None = None) -> Places:
    """Folders under ``root``; ``dataset``: demonstrations that lie elsewhere."""
    dataset = dataset or root / "data/tabletop"
    return Places(root, dataset, dataset / f"cache-{sizes.cache.image_size}", text_encoder)


def world2act_steps(
    preset: Preset, places: Places, workers: int | None = None, threads: int | None = None
) -> list[Step]:
    """Every step in order. workers, threads: what commands that have such options get (None: the preset's own)."""
    sizes = PRESETS[preset]
    steps = [
        *policy_steps(sizes, places),
        base_step(sizes, places),
        *imagination_steps(sizes, places),
        *arm_steps(sizes, places, arm_plans(sizes, places)),
        *checkpoint_steps(sizes, places),
        *robot_steps(sizes, places),
    ]
    steps.append(evidence_step(sizes, places, preset, steps))
    changes = {name: value for name, value in (("workers", workers), ("threads", threads)) if value is not None}
    steps = [replace(step, minutes=estimate(step.name, preset), config=_with(step, changes)) for step in steps]
    check_steps(steps)
    return steps


def _with(step: Step, changes: Mapping[str, int]) -> Any:
    """The step's configuration with those of ``changes`` that are options of its command."""
    if not changes:
        return step.config
    known = options_of(step)
    fitting = {name: value for name, value in changes.items() if name in known}
    return {**step.config, **fitting} if isinstance(step.config, Mapping) else replace(step.config, **fitting)
