"""Runs the steps of a recipe in order; what is finished is not repeated, what was interrupted continues."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from training.common.errors import TrainingError
from training.common.machine import describe_machine, git_commit
from training.recipes.pipeline.command_line import arguments, command_line
from training.recipes.pipeline.fingerprint import fingerprint
from training.recipes.pipeline.records import Record, Records
from training.recipes.pipeline.review import UNABLE, Review, Status, review_steps, steps_to_run
from training.recipes.pipeline.signals import SignalWatch
from training.recipes.pipeline.step import Step, check_steps, open_command

ANEW = (Status.CHANGED, Status.OUTDATED)
Say = Callable[[str], None]


class RecipeInterrupted(TrainingError):
    """Somebody asked the recipe to stop."""


@dataclass
class Outcome:
    """What a run did, by name of step."""

    ran: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Steps that could not run, and why."""
    failed: dict[str, str] = field(default_factory=dict)
    """Steps that ended with an error, and which."""


def run_steps(
    steps: Sequence[Step],
    records: Records,
    only: Collection[str] | None = None,
    forced: Collection[str] = (),
    say: Say = print,
    asked: Collection[str] = (),
) -> Outcome:
    """Bring every step (or those in ``only``) up to date. A step that fails stops those that need it, not the others.

    forced: made anew even though they are finished, and with them whatever reads their results.
    say: takes one line per event. asked: made again if they were finished and not kept, also when nothing reads them.
    Raises RecipeInterrupted after Ctrl-C or SIGTERM; the same call continues.
    """
    check_steps(steps)
    outcome, anew = Outcome(), set(forced)
    to_run = steps_to_run(review_steps(steps, records, tuple(anew)), only, asked)
    for number, step in enumerate(steps):
        if only is not None and step.name not in only:
            continue
        reviews = {review.step.name: review for review in review_steps(steps[: number + 1], records, tuple(anew))}
        review = reviews[step.name]
        anew.discard(step.name)
        head = f"[{number + 1}/{len(steps)}] {step.name}"
        absent = [name for name in step.needs if reviews[name].status is not Status.FINISHED]
        if review.status is Status.FINISHED:
            say(f"{head}: finished already")
        elif review.status is Status.NOT_KEPT and step.name not in to_run:
            say(f"{head}: finished ({review.why}; nothing that is to run reads it, --only {step.name} makes it again)")
        elif review.status in UNABLE or absent:
            outcome.left_out[step.name] = review.why if review.status in UNABLE else f"needs {', '.join(absent)}"
            say(f"{head}: left out, {outcome.left_out[step.name]}")
        else:
            why = f" ({review.why})" if review.why else ""
            say(f"{head}: {review.status}{why}, about {step.minutes:g} min")
            problem = _run(review, records, say, step.name in forced)
            if problem:
                outcome.failed[step.name] = problem
                say(f"{head}: failed, {problem}")
            else:
                outcome.ran.append(step.name)
    return outcome


def _run(review: Review, records: Records, say: Say, forced: bool) -> str:
    """Run one step and keep its record; returns what went wrong, "" for nothing."""
    step, now = review.step, fingerprint(review.settings, review.inputs)
    try:
        record = _begin(review, now, records, say, forced)
    except TrainingError as error:
        return str(error)
    began, used = time.monotonic(), _cpu_seconds()
    with SignalWatch() as watch:
        problem, interrupted = _attempt(step)
        interrupted = interrupted or watch.came()
    record = replace(
        record,
        seconds=round(record.seconds + time.monotonic() - began, 1),
        cpu_seconds=None if record.cpu_seconds is None else round(record.cpu_seconds + _cpu_seconds() - used, 1),
    )
    records.write(record)
    if interrupted:
        how = "without --from" if forced else "again"
        raise RecipeInterrupted(f"interrupted in step {step.name!r}; run the same command {how} to continue there")
    gone = [str(path) for path in step.produces if not path.exists()]
    if gone and not problem:
        problem = f"it ended without leaving {', '.join(gone)}"
    if not problem:
        finished = datetime.now(UTC).isoformat(timespec="milliseconds")
        records.write(replace(record, state="finished", made=record.made or f"{now} {finished}"))
    return problem


def _cpu_seconds() -> float:
    """Processor time so far, of this process and of the ended ones that it has waited for."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system


def _attempt(step: Step) -> tuple[str, bool]:
    """(what went wrong, whether a KeyboardInterrupt ended it)."""
    arguments_before = sys.argv
    try:
        function, config = open_command(step)  # loads modules, for seconds: an interruption may come in here, too
        # Trainers write the command that made a checkpoint into it: the step's own one, which can be typed.
        sys.argv = [arguments_before[0], step.command, *arguments(step.config)]
        function(config)
    except KeyboardInterrupt:
        return "", True
    except TrainingError as error:
        return str(error), False
    except Exception as error:  # one broken arm must not cost a night's work on the others
        traceback.print_exc()
        return f"{type(error).__name__}: {error}", False
    finally:
        sys.argv = arguments_before
    return "", False


def _begin(review: Review, now: str, records: Records, say: Say, forced: bool) -> Record:
    """Note that the step begins; what is in its place and must not be continued is put aside."""
    step, before = review.step, review.record
    moved: list[str] = []
    if forced or (review.status in ANEW and not review.extension and not step.overwrites):
        moved = records.put_aside(step.name, step.produces)
        for place in moved:
            say(f"    what was there is now in {records.root / place}; delete it when you do not need it")
    goes_on = before is not None and (review.status is Status.INTERRUPTED or review.extension)
    # A result that was not kept comes out as it was, so what was made of it stays what it is.
    again = before is not None and not forced and review.status in (Status.NOT_KEPT, Status.INTERRUPTED)
    record = Record(
        step=step.name,
        state="started",
        settings=review.settings,
        inputs=review.inputs,
        fingerprint=now,
        made=before.made if before is not None and again else "",
        seconds=before.seconds if before is not None and goes_on else 0.0,
        cpu_seconds=before.cpu_seconds if before is not None and goes_on else 0.0,
        command_line=command_line(step),
        commit=git_commit(),
        machine=describe_machine(),
        replaced=[*(before.replaced if before else []), *moved],
    )
    # What is killed leaves this: then a part of its processor time is not known.
    records.write(replace(record, cpu_seconds=None))
    return record
