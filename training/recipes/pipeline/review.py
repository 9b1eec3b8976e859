"""Where every step of a recipe stands, from the records of earlier runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from training.recipes.pipeline.fingerprint import changed_fields, settings
from training.recipes.pipeline.records import Record, Records
from training.recipes.pipeline.step import Step, why_not


class Status(StrEnum):
    """Where a step stands."""

    FINISHED = "finished"
    TO_DO = "to do"
    INTERRUPTED = "interrupted"
    """Begun with the same settings and inputs: continues."""
    CHANGED = "changed"
    """Its settings are others now: made anew."""
    OUTDATED = "outdated"
    """Something it reads is made anew, so it is too."""
    MISSING = "no command"
    BLOCKED = "blocked"
    """Needs a step that cannot run."""
    NOT_KEPT = "not kept"
    """Finished, but what it left is gone: made again, as it was, for a step that has to run and reads it."""


UNABLE = (Status.MISSING, Status.BLOCKED)
UP_TO_DATE = (Status.FINISHED, Status.NOT_KEPT)


@dataclass(frozen=True)
class Review:
    """A step, where it stands and why. inputs: the results it would read now (None: there is none)."""

    step: Step
    status: Status
    why: str
    settings: dict[str, Any]
    inputs: dict[str, str | None]
    record: Record | None
    extension: bool = False
    """The change is one that the command takes up itself, keeping what is there."""


def review_steps(steps: Sequence[Step], records: Records, forced: Sequence[str] = ()) -> list[Review]:
    """Every step in order. forced: steps to be made anew whatever their records say."""
    done: dict[str, Review] = {}
    for step in steps:
        done[step.name] = _review(step, records, done, step.name in forced)
    return list(done.values())


def _review(step: Step, records: Records, before: dict[str, Review], forced: bool) -> Review:
    now = settings(step, records.root)
    record = records.read(step.name)
    inputs = {name: before[name].record.made if _usable(before[name]) else None for name in step.inputs}  # type: ignore[union-attr]

    def say(status: Status, why: str = "", extension: bool = False) -> Review:
        return Review(step, status, why, now, inputs, record, extension)

    if problem := why_not(step):
        return say(Status.MISSING, problem)
    unable = [name for name in step.needs if before[name].status in UNABLE]
    if unable:
        return say(Status.BLOCKED, f"needs {', '.join(unable)}")
    if record is None:
        return say(Status.TO_DO)
    if forced:
        return say(Status.CHANGED, "asked for")
    changed = changed_fields(record.settings, now)
    waiting = [n for n in step.inputs if not _usable(before[n]) and before[n].status not in UNABLE]
    if changed:
        return say(
            Status.CHANGED, ", ".join(changed), extension=not waiting and _extends(step, changed, record, inputs)
        )
    if waiting:
        return say(Status.OUTDATED, f"after {', '.join(waiting)}")
    if record.inputs != inputs:
        other = [name for name in {**record.inputs, **inputs} if record.inputs.get(name) != inputs.get(name)]
        return say(Status.OUTDATED, f"other {', '.join(other)}")
    if record.state == "started":
        return say(Status.INTERRUPTED)
    gone = [path.name for path in step.produces if not path.exists()]
    if gone:
        return say(Status.NOT_KEPT, f"{', '.join(gone)} is gone")
    return say(Status.FINISHED)


def _usable(review: Review) -> bool:
    """Whether there is a result to read, or one that is known and made again before anything reads it."""
    being_made_again = review.status is Status.INTERRUPTED and review.record is not None and bool(review.record.made)
    return review.status in UP_TO_DATE or being_made_again


def steps_to_run(reviews: Sequence[Review], only: Collection[str] | None, asked: Collection[str]) -> set[str]:
    """Names of the steps that are not up to date, of what is not kept and they read, and of those in ``asked``.

    only: names that are considered at all (None: every one).
    """
    found: set[str] = set()
    read: set[str] = set()
    for review in reversed(reviews):
        name, status = review.step.name, review.status
        if (only is not None and name not in only) or status is Status.FINISHED or status in UNABLE:
            continue
        if status is not Status.NOT_KEPT or name in read or name in asked:
            found.add(name)
            read.update(review.step.inputs)
    return found


def _extends(step: Step, changed: list[str], record: Record, inputs: dict[str, str | None]) -> bool:
    return set(changed) <= set(step.extends) and record.inputs == inputs
