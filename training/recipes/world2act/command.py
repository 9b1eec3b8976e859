"""``reproduce``: the whole of a paper, from an empty folder to a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from training.common.errors import TrainingError
from training.recipes.pipeline.records import Records
from training.recipes.pipeline.review import review_steps
from training.recipes.pipeline.runner import Outcome, run_steps
from training.recipes.pipeline.select import known_name, with_inputs
from training.recipes.pipeline.show import print_plan
from training.recipes.world2act.recipe import PRESETS, Preset, places_of, world2act_steps
from training.recipes.world2act.report import write_report


@dataclass(frozen=True)
class ReproduceConfig:
    """Run every step that is not finished, in order. Running the same command again continues where it stopped."""

    what: Annotated[Literal["world2act"], tyro.conf.Positional] = "world2act"
    preset: Preset = "nano"
    """nano: what shows something, a night on two cores. tiny: everything minimal, only to see that it fits together."""
    out: Path | None = None
    """Default: runs/world2act-<preset>."""
    dataset: Path | None = None
    """Demonstrations that are there already, or shall lie elsewhere (default: data/tabletop inside the run)."""
    text_encoder: Path = Path("models/text-encoder-minilm-l6-int8")
    only: tuple[str, ...] = ()
    """Only these steps, and what they need and is not finished."""
    start: Annotated[str, tyro.conf.arg(name="from")] = ""
    """Make this step and everything that reads its result anew, finished or not."""
    show: Annotated[bool, tyro.conf.arg(name="list")] = False
    """Show the steps, where they stand and about how long they take, and do nothing."""
    workers: int | None = None
    """Simulator processes of the steps that have some (default: the preset's)."""
    threads: int | None = None
    """CPU threads of the steps that train (default: the preset's)."""


def reproduce(config: ReproduceConfig) -> Outcome | None:
    """Entry point of ``python -m training reproduce``; None when it only showed the plan."""
    root = config.out or Path("runs") / f"world2act-{config.preset}"
    if not (config.text_encoder / "model.onnx").exists():
        raise TrainingError(
            f"{config.text_encoder} holds no text encoder; make it with `python -m training export-text-encoder --out "
            f"{config.text_encoder}`, or name another with --text-encoder"
        )
    places = places_of(root, PRESETS[config.preset], config.text_encoder, config.dataset)
    steps = world2act_steps(config.preset, places, config.workers, config.threads)
    records = Records(root)
    only = with_inputs(steps, config.only) if config.only else None
    forced = (known_name(steps, config.start),) if config.start else ()
    if config.show:
        print_plan([r for r in review_steps(steps, records, forced) if only is None or r.step.name in only])
        return None
    console = Console(soft_wrap=True, highlight=False)
    try:
        outcome = run_steps(
            steps,
            records,
            only,
            forced,
            lambda line: console.print(line, markup=False, style="bold"),
            asked=tuple(config.only),
        )
    finally:
        # Also after an interruption: the report says how far it has come.
        write_report(places, config.preset, review_steps(steps, records))
    if outcome.failed:
        raise TrainingError(
            f"{len(outcome.failed)} steps failed: "
            + "; ".join(f"{name}: {problem}" for name, problem in outcome.failed.items())
        )
    return outcome
