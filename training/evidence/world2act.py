"""The claims of the World2Act paper as they are asked here, and the names of the arms that answer them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from training.evidence.groups import GroupName
from training.evidence.measurements import Claim
from training.evidence.report_claims import AddedLatency, BetterWorldModel, Retrieves, Tells
from training.evidence.score_claims import ScorePredictsCheckpoint, ScorePredictsSuccess
from training.evidence.success_claims import Better, Rising, Unsaturated

BASE, V1, V2, PIXELS = "base", "world2act-v1", "world2act-v2", "pixels"
ABLATIONS = {
    "one-direction": "contrast in one direction only",
    "global-contrast": "one code per trajectory",
    "base-wm": "Base-WM",
    "recorded-adapters": "adapters aligned on recordings",
    "bc-target": "regression to decoded codes",
    "lora": "LoRA instead of a residual",
}
"""Arm -> what is otherwise than in World2Act v1."""
COMPARED: tuple[GroupName, ...] = ("seen", "perturbed")
WHERE: dict[GroupName, str] = {
    "seen": "composites",
    "perturbed": "perturbed",
    "unseen": "unseen instances",
    "unseen-tasks": "unseen tasks",
}


def with_trajectories(method: str, count: int, most: int) -> str:
    """Arm that was post-trained on ``count`` trajectories; the method's main arm has the most, the base policy none."""
    if count == 0:
        return BASE
    return method if count == most else f"{method}-{count}"


def with_tasks(count: int) -> str:
    """Arm that has seen ``count`` tasks in post-training; the base policy none."""
    return BASE if count == 0 else f"tasks-{count}"


def at_iteration(method: str, iteration: int) -> str:
    """Arm of a method's checkpoint in the middle of its training."""
    return f"{method}-at-{iteration}"


def world2act_claims(
    trajectories: Sequence[int] = (50, 200, 1000),
    tasks: Sequence[int] = (2, 5, 10),
    checkpoints: Sequence[int] = (8, 16, 24, 32),
) -> list[Claim]:
    """Every claim in the order of the table.

    trajectories, tasks: the counts that were measured besides none. checkpoints: iterations whose weights were kept.
    """
    return [
        *_foundations(),
        *_main(),
        *_ablations(),
        *_growth(trajectories, tasks),
        ScorePredictsSuccess("episodes with a higher alignment score succeed more often", V1),
        ScorePredictsCheckpoint(
            "checkpoints with a higher alignment score succeed more often", checkpoint_arms(checkpoints)
        ),
        AddedLatency("the residual adds at most 10 % latency", "evaluation/latency/latency.json", "measure-latency"),
    ]


def checkpoint_arms(checkpoints: Sequence[int]) -> tuple[str, ...]:
    """Every kept checkpoint of both variants; iteration 0 is the base policy."""
    return (at_iteration(V1, 0), *(at_iteration(method, count) for method in (V1, V2) for count in checkpoints))


def _foundations() -> Iterator[Claim]:
    for group in ("seen", "perturbed", "unseen", "unseen-tasks"):
        yield Unsaturated(f"the base policy is not saturated, {WHERE[group]}", BASE, group)
    yield BetterWorldModel(
        "Skill-WM is nearer to held-out recordings than Base-WM", "world-model-evaluation/evaluation.json",
        "compare-world-models",
    )  # fmt: skip
    for name, what in (("align-recorded", "recorded"), ("align", "imagined")):
        yield Retrieves(f"{what} video finds its own actions", f"{name}/alignment.json", name)
    for other, what in (("average", "than the average chunk"), ("base", "than the base policy's")):
        claim = f"actions read from imagined video are nearer to the expert's {what}"
        yield Tells(claim, other, "imagination/imagination.json", "measure-imagination")


def _main() -> Iterator[Claim]:
    for method in (V1, V2):
        name = f"World2Act {method[-2:]}"
        for group in (*COMPARED, "unseen"):
            yield Better(f"{name} above base, {WHERE[group]}", method, BASE, group)
        for group in (*COMPARED, "unseen"):
            yield Better(f"{name} above pixel-space, {WHERE[group]}", method, PIXELS, group)


def _ablations() -> Iterator[Claim]:
    for arm, what in ABLATIONS.items():
        for group in COMPARED:
            yield Better(f"World2Act v1 above the same with {what}, {WHERE[group]}", V1, arm, group)


def _growth(trajectories: Sequence[int], tasks: Sequence[int]) -> Iterator[Claim]:
    levels, most = (0, *trajectories), max(trajectories)
    for method, name in ((V1, "World2Act v1"), (PIXELS, "pixel-space")):
        arms = tuple(with_trajectories(method, count, most) for count in levels)
        for group in COMPARED:
            claim = f"{name} grows with trajectories ({', '.join(map(str, levels))}), {WHERE[group]}"
            yield Rising(claim, arms, levels, group)
    seen = (0, *tasks)
    yield Rising(
        f"unseen tasks gain from more seen tasks ({', '.join(map(str, seen))})", tuple(map(with_tasks, seen)), seen,
        "unseen-tasks",
    )  # fmt: skip
