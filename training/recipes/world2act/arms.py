"""The policies that are compared: how each is post-trained, on equal budgets, and where the result lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from training.evidence.groups import SEEN_TASKS, GroupName
from training.evidence.world2act import PIXELS, V1, V2, with_tasks, with_trajectories
from training.post_training.config import ObjectiveConfig, PostTrainConfig
from training.post_training.pixel_space import PixelConfig
from training.recipes.pipeline.step import Step
from training.recipes.world2act.places import Places
from training.recipes.world2act.sizes import Sizes

EVERYWHERE: tuple[GroupName, ...] = ("seen", "perturbed", "unseen")
COMPARED: tuple[GroupName, ...] = ("seen", "perturbed")


@dataclass(frozen=True)
class ArmPlan:
    """One arm. base, residual: what ``evaluate-arm`` opens; groups: what it is measured on."""

    name: str
    config: PostTrainConfig | PixelConfig
    needs: tuple[str, ...]
    base: Path
    residual: Path | None
    groups: tuple[GroupName, ...]

    def step(self) -> Step:
        """The step that trains it."""
        command = "post-train" if isinstance(self.config, PostTrainConfig) else "post-train-pixels"
        return Step(f"train-{self.name}", command, self.config, (self.config.out,), needs=("base-policy", *self.needs))


def arm_plans(sizes: Sizes, places: Places) -> Iterator[ArmPlan]:
    """Every arm but the base policy, in the order in which they are trained."""
    most, fewer = sizes.trajectories[-1], sizes.trajectories[:-1]
    kept = sizes.checkpoints[0] if sizes.checkpoints else 0
    plain = _plain(sizes)
    latent = replace(plain.residual, variant="latent")
    yield _residual(places, V1, replace(plain, keep_every=kept), EVERYWHERE)
    yield _residual(places, V2, replace(plain, keep_every=kept, residual=latent), EVERYWHERE)
    yield _pixels(sizes, places, PIXELS, most, EVERYWHERE)
    yield _with(sizes, places, "one-direction", replace(plain.objective, direction="one"), "align-one-direction")
    yield _with(sizes, places, "global-contrast", replace(plain.objective, granularity="global"), "align-global")
    # Adapters of another world model's imagination would be a second difference: Base-WM has its own Stage 1.
    yield _residual(places, "base-wm", plain, COMPARED, adapters="align-base", imagined="base")
    yield _residual(places, "recorded-adapters", plain, COMPARED, adapters="align-recorded")
    yield _with(sizes, places, "bc-target", replace(plain.objective, target="bc"))
    yield _lora(sizes, places)
    for count in fewer:
        name = with_trajectories(V1, count, most)
        yield _residual(places, name, replace(plain, trajectories=count), COMPARED)
        yield _pixels(sizes, places, with_trajectories(PIXELS, count, most), count, COMPARED)
    for count in sizes.tasks:
        config = replace(plain, tasks=SEEN_TASKS[:count], trajectories=sizes.task_trajectories)
        yield _residual(places, with_tasks(count), config, ("unseen-tasks",))


def _plain(sizes: Sizes) -> PostTrainConfig:
    """World2Act v1, which every ablation changes in one thing."""
    return replace(sizes.post_train, trajectories=sizes.trajectories[-1])


def _residual(
    places: Places,
    name: str,
    config: PostTrainConfig,
    groups: tuple[GroupName, ...],
    adapters: str = "align",
    imagined: str = "skill",
) -> ArmPlan:
    """A residual on the base policy. adapters: which Stage 1; imagined: by which world model."""
    config = replace(
        config,
        base=places.policy,
        adapters=places.root / adapters,
        imagined=places.imagined(imagined),
        out=places.arm(name),
        text_encoder=places.text_encoder,
    )
    return ArmPlan(name, config, (adapters, f"imagine-{imagined}"), places.policy, config.out, groups)


def _with(sizes: Sizes, places: Places, name: str, objective: ObjectiveConfig, adapters: str = "align") -> ArmPlan:
    return _residual(places, name, replace(_plain(sizes), objective=objective), COMPARED, adapters)


def _lora(sizes: Sizes, places: Places) -> ArmPlan:
    plan = _residual(places, "lora", replace(_plain(sizes), method="lora"), COMPARED)
    return replace(plan, base=places.arm("lora") / "merged", residual=None)


def _pixels(sizes: Sizes, places: Places, name: str, count: int, groups: tuple[GroupName, ...]) -> ArmPlan:
    config = replace(
        sizes.pixels,
        base=places.policy,
        cache=places.cache,
        world_model=places.world_model("skill"),
        imagined=places.imagined("skill"),
        out=places.arm(name),
        text_encoder=places.text_encoder,
        trajectories=count,
    )
    return ArmPlan(name, config, ("frames", "imagine-skill"), config.out / "policy", None, groups)
