"""``post-train``: Stage 2 of World2Act, and its ablations at the same budget; continues where it stopped."""

from __future__ import annotations

import os
import shutil
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, cast

import torch

from training.common.checkpoint import checkpoints, latest_checkpoint
from training.common.errors import TrainingError
from training.common.interrupt import Interrupted
from training.common.machine import describe_machine, git_commit
from training.common.workers import pick_device
from training.post_training.actions import ChunkCoder
from training.post_training.config import PostTrainConfig
from training.post_training.frozen import module_hash
from training.post_training.imagined import ImaginedCodes, ImaginedLatents
from training.post_training.interfaces import VideoAdapter
from training.post_training.load import ADAPTERS
from training.post_training.merge import save_merged
from training.post_training.parts import open_adapters
from training.post_training.policies import BaseSource
from training.post_training.report import PostTrainReport
from training.post_training.rollouts import Collector, LocalCollector, ParallelCollector, StudentRecipe
from training.post_training.students import LoraStudent, ResidualStudent, open_lora_student, open_residual_student
from training.post_training.trainer import PostTrainer
from world2act_core.contract import Contract
from world2act_core.files import sha256_file

STUDENTS = "training.post_training.students"


def post_train(config: PostTrainConfig) -> Path:
    """Entry point of ``python -m training post-train``; returns the folder of the last checkpoint."""
    check_settings(config)
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    device = pick_device(config.device)
    source = BaseSource(config.base, config.text_encoder)
    latents = ImaginedLatents(config.imagined)
    student, recipe, coder = _student(config, source, latents.origin.vae)
    _check_robots(config, student.contract, latents)
    video, _, adapters = open_adapters(config.adapters, student.contract, latents.origin.vae)
    codes = latents.codes(cast(VideoAdapter, video), config.trajectories, config.tasks)
    _copy_adapters(adapters.folder, config.out)
    facts = _facts(config, source, student.contract, latents, module_hash(video))
    trainer = PostTrainer(config, student, coder, codes, facts, device)
    _move(student, coder, device)
    collector = _collector(config, recipe, codes, coder.steps)
    try:
        folder = run(trainer, collector)
    finally:
        if collector is not None:
            collector.close()
    if isinstance(student, LoraStudent):
        save_merged(config.base, student.model, config.out / "merged", trainer.iteration)
    return folder


def run(trainer: PostTrainer, collector: Collector | None) -> Path:
    """Train to the end (or to an interruption) with a checkpoint after every iteration; returns the last one."""
    config = trainer.config
    if checkpoints(config.out):
        trainer.restore(latest_checkpoint(config.out))
    if trainer.iteration >= trainer.iterations:
        return trainer.save()
    assert collector is not None
    folder = config.out
    with PostTrainReport(config.out, trainer.iterations, trainer.iteration) as report, Interrupted() as interrupted:
        while trainer.iteration < trainer.iterations and not interrupted:
            try:
                report.add(trainer.advance(collector))
            except BrokenProcessPool as error:
                raise TrainingError(
                    f"a process that runs the simulator has died in iteration {trainer.iteration}; run the same "
                    "command again to continue from the last checkpoint"
                ) from error
            folder = trainer.save()
    if trainer.iteration < trainer.iterations:
        print(f"interrupted after iteration {trainer.iteration}; run the same command again to continue")
    return folder


def check_settings(config: PostTrainConfig) -> None:
    """Raise TrainingError for settings that contradict each other."""
    objective = config.objective
    if config.trajectories < 0 or config.iterations < 0 or config.gradient_steps < 1:
        raise TrainingError("--trajectories and --iterations must be 0 or more, --gradient-steps at least 1")
    fewest = [n for n in (config.states_per_iteration, config.batch_states, config.trajectories) if n]
    if objective.target == "contrastive" and fewest and min(fewest) < 2:
        raise TrainingError(
            "a contrastive target needs at least two initial states at a time: raise --trajectories, "
            "--states-per-iteration or --batch-states"
        )
    if config.states_per_iteration < 1 or config.batch_states < 0:
        raise TrainingError("--states-per-iteration must be at least 1, --batch-states 0 (all of them) or more")
    if not objective.temperature > 0:
        raise TrainingError(f"--objective.temperature must be above 0, got {objective.temperature}")
    head = config.residual
    if head.heads < 1 or head.token % head.heads:
        raise TrainingError(
            f"--residual.token {head.token} is not divisible by --residual.heads {head.heads}: heads have equal parts"
        )
    if config.method == "lora" and objective.size_penalty:
        raise TrainingError(
            "--objective.size-penalty is for --method residual: low-rank adapters change the policy itself, so that no "
            "rollout says what it did without them"
        )


def _student(
    config: PostTrainConfig, source: BaseSource, vae: str
) -> tuple[ResidualStudent | LoraStudent, StudentRecipe, ChunkCoder]:
    torch.manual_seed(config.seed)
    if config.method == "residual":
        arguments: tuple[Any, ...] = (source, config.adapters, config.residual)
        student = open_residual_student(*arguments)
        return student, StudentRecipe(f"{STUDENTS}:open_residual_student", arguments), student.head.coder
    _, adapter, _ = open_adapters(config.adapters, None, vae)
    policy = source.open_checkpoint()
    coder = ChunkCoder(policy.contract, adapter)
    arguments = (source, config.lora, coder.steps, config.seed)
    return open_lora_student(*arguments), StudentRecipe(f"{STUDENTS}:open_lora_student", arguments), coder


def _collector(
    config: PostTrainConfig,
    recipe: StudentRecipe,
    codes: ImaginedCodes,
    steps: int,
) -> Collector | None:
    if not codes.states:
        return None
    os.environ.setdefault("MUJOCO_GL", "egl")
    if config.workers < 1:
        # Its own student: rollouts run on the CPU, whatever the optimiser runs on.
        return LocalCollector(recipe.make(), codes, steps, config.rollout)
    workers = min(config.workers, config.states_per_iteration, len(codes.states))
    return ParallelCollector(recipe, codes, steps, config.rollout, workers)


def _check_robots(config: PostTrainConfig, contract: Contract, latents: ImaginedLatents) -> None:
    """Another arm would see other first pictures and move otherwise, and nothing later would notice."""
    robots = {f"--base {config.base}": contract.robot, "--rollout.robot": config.rollout.robot}
    if latents.robot is not None:
        robots[f"--imagined {config.imagined}"] = latents.robot
    if len(set(robots.values())) > 1:
        raise TrainingError(f"not all of one robot: {', '.join(f'{what} is of {who}' for what, who in robots.items())}")


def _facts(
    config: PostTrainConfig, source: BaseSource, contract: Contract, latents: ImaginedLatents, video_adapter: str
) -> dict[str, Any]:
    return {
        "video_adapter": video_adapter,
        # A bundle's is part of the bundle.
        "text_encoder": None if source.is_bundle else sha256_file(config.text_encoder / "model.onnx"),
        "contract": contract.to_text(),
        "world_model": latents.origin.world_model,
        "vae": latents.origin.vae,
        "imagined": vars(latents.origin),
        "machine": describe_machine(),
        "commit": git_commit(),
    }


def _move(student: ResidualStudent | LoraStudent, coder: ChunkCoder, device: torch.device) -> None:
    coder.to(device)
    if isinstance(student, ResidualStudent):
        student.head.to(device)
    else:
        student.model.to(device)


def _copy_adapters(checkpoint: Path, out: Path) -> None:
    """Keep the adapters with the run, without their optimiser.

    A copy from before the first checkpoint is replaced: a run that ended there may have been begun with other adapters.
    """
    target = out / ADAPTERS
    if target.exists() and checkpoints(out):
        return
    temporary = _beside(target)
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(checkpoint, temporary, ignore=shutil.ignore_patterns("optimiser*"))
    shutil.rmtree(target, ignore_errors=True)
    temporary.replace(target)


def _beside(path: Path) -> Path:
    """A temporary name beside ``path``."""
    return path.with_name(f".{path.name}.tmp")
