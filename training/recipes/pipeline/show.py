"""The plan of a recipe as a table on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from training.recipes.pipeline.review import UNABLE, UP_TO_DATE, Review, Status

COLOURS = {
    Status.FINISHED: "green", Status.NOT_KEPT: "green", Status.INTERRUPTED: "yellow", Status.CHANGED: "yellow",
    Status.OUTDATED: "yellow", Status.MISSING: "red", Status.BLOCKED: "red",
}  # fmt: skip


def print_plan(reviews: Sequence[Review], console: Console | None = None) -> None:
    """One row per step: where it stands, about how long it takes, how long it took."""
    console = console or Console(width=110, soft_wrap=True)
    table = Table("step", "state", "about", "took", "why")
    for review in reviews:
        colour = COLOURS.get(review.status, "default")
        took = minutes(review.record.seconds / 60) if review.record else ""
        state = f"[{colour}]{review.status}[/]"
        table.add_row(review.step.name, state, minutes(review.step.minutes), took, review.why)
    console.print(table)
    left = [review for review in reviews if review.status not in (*UP_TO_DATE, *UNABLE)]
    unable = sum(review.status in UNABLE for review in reviews)
    console.print(
        f"{len(reviews)} steps, {len(reviews) - len(left) - unable} finished, {unable} cannot run; about "
        f"{minutes(sum(review.step.minutes for review in left))} left of "
        f"{minutes(sum(review.step.minutes for review in reviews))} on two CPU cores"
    )


def minutes(value: float) -> str:
    """ "40 s", "12 min" or "3 h 05"."""
    if value < 1.5:
        return f"{value * 60:.0f} s"
    if value < 100:
        return f"{value:.0f} min"
    return f"{int(value + 0.5) // 60} h {int(value + 0.5) % 60:02d}"
