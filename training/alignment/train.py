"""``align``: Stage 1 of World2Act; run again with the same --out to continue from its last checkpoint."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import torch

from training.alignment.actions import ActionSource, read_actions
from training.alignment.batches import BatchSource
from training.alignment.cached import CachedClips
from training.alignment.clips import LatentClips
from training.alignment.config import AdapterConfig, AlignConfig, Objective, objective_of
from training.alignment.evaluate import Evaluation, evaluate
from training.alignment.index import WindowIndex, build_index
from training.alignment.report import AlignReport
from training.alignment.trainer import Trainer, jsonable
from training.common.checkpoint import checkpoints, latest_checkpoint
from training.common.disk import write_text_atomically
from training.common.errors import DatasetError
from training.common.holdout import check_holdout
from training.common.interrupt import Interrupted
from training.common.machine import describe_machine, git_commit
from training.common.workers import Workers, joined

RESULT = "alignment.json"


def align(config: AlignConfig) -> Path:
    """Entry point of ``python -m training align``; returns the folder of the last checkpoint."""
    return align_clips(config, CachedClips(config.latents, config.dataset), read_actions(config.dataset))


def align_clips(config: AlignConfig, clips: LatentClips, actions: ActionSource) -> Path:
    """:func:`align` on latents and actions that are already open."""
    torch.set_num_threads(config.threads)
    objective = objective_of(config)
    check_holdout(config.holdout_every, clips.holdout_every, f"what made the latents in {config.latents}")
    index = build_index(clips, AdapterConfig.chunk, config.chunks, config.holdout_every)
    channels = int(clips.latents(0).shape[0])
    adapters = AdapterConfig(latent_channels=channels, variational=objective.kl > 0, changes=config.changes)
    _check_hard_negatives(index, objective)
    source = BatchSource(clips, actions, index, adapters, config.action_chunks)
    with joined(config.device) as workers:
        trainer = Trainer(config, adapters, source, workers)
        if checkpoints(config.out):
            trainer.restore(latest_checkpoint(config.out))
        trainer.history.append(f"from step {trainer.step}: python -m training {' '.join(sys.argv[1:])}")
        result = _run(config, trainer, source, workers)
        trainer.save()
        if workers.main and result is not None and trainer.done:
            _write_result(config, trainer, result)
        workers.wait()
    return latest_checkpoint(config.out)


def _run(config: AlignConfig, trainer: Trainer, source: BatchSource, workers: Workers) -> Evaluation | None:
    """Train to the end of the schedule or until asked to stop; at the end the last evaluation, on the first rank."""
    schedule = trainer.schedule
    interrupted = Interrupted()
    stream = source.stream(config.seed, workers.rank, trainer.step, schedule.batch, schedule.per_task)
    with AlignReport(config.out, schedule.steps, config.log_every, quiet=not workers.main) as report:
        report.say(_description(trainer, source.index))
        try:
            while not trainer.done and not workers.agree(0.0, bool(interrupted))[1]:
                report.step(trainer.step + 1, trainer.advance(next(stream)))
                if trainer.step % config.checkpoint_every == 0:
                    trainer.save()
                if trainer.step % config.eval_every == 0 and not trainer.done:
                    _evaluate(config, trainer, source, report)
        finally:
            stream.close()
            interrupted.restore()
        return _evaluate(config, trainer, source, report) if trainer.done else None


def _evaluate(config: AlignConfig, trainer: Trainer, source: BatchSource, report: AlignReport) -> Evaluation | None:
    """Measure and show; on the first rank only, the others have the same weights."""
    if not trainer.workers.main:
        return None
    evaluation = evaluate(trainer.aligner, source, config.eval_windows, trainer.workers.device)
    if evaluation is None:
        report.say(f"step {trainer.step}: no window is held out, so nothing is measured (--holdout-every)")
    else:
        report.evaluation(trainer.step, evaluation)
    return evaluation


def _description(trainer: Trainer, index: WindowIndex) -> str:
    size = sum(p.numel() for p in trainer.aligner.parameters()) / 1e3
    return (
        f"{size:.0f} k parameters, {len(index.training)} windows of {index.chunks} chunks ({len(index.held_out)} more "
        f"held out), {len(index.tasks)} tasks, hard negatives for {index.hard_share:.0%} of the windows, "
        f"step {trainer.step}"
    )


def _check_hard_negatives(index: WindowIndex, objective: Objective) -> None:
    if objective.hard_share > 0 and index.hard_share == 0:
        raise DatasetError(
            f"no task of the dataset has two training demonstrations ({len(index.tasks)} tasks, {len(index.training)} "
            "windows), so there is no hard negative; collect more per task, or --objective.hard-share 0"
        )


def _write_result(config: AlignConfig, trainer: Trainer, evaluation: Evaluation) -> None:
    """The evidence of a run: what was measured, on what, how it was trained."""
    result = {
        **evaluation.to_json(),
        "preset": config.preset,
        "objective": jsonable(dataclasses.asdict(trainer.objective)),
        "steps": trainer.step,
        "seed": config.seed,
        "world": trainer.workers.world,
        "data": trainer.data,
        "vae": trainer.vae,
        "latents": trainer.latents,
        "holdout_every": config.holdout_every,
        "commit": git_commit(),
        "machine": describe_machine(),
    }
    write_text_atomically(config.out / RESULT, json.dumps(result, indent=1) + "\n")
