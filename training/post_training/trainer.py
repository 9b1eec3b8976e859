"""Rollouts, then optimiser steps, again and again; everything a checkpoint holds.

The states come from the present policy (on-policy), the gradient does not pass through them: for each state of a
rollout the executed chunk a_base + a_res is coded by the frozen, differentiable action adapter and compared with the
fixed code of what was imagined for that initial state and chunk index. There is no reward and no return.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.common.checkpoint import keep_copy, read_info, read_tensors, save_checkpoint
from training.common.errors import TrainingError
from training.common.optimiser_state import load_optimiser, optimiser_tensors
from training.common.sameness import changes, refuse
from training.common.schedule import set_learning_rate
from training.post_training.actions import ChunkCoder
from training.post_training.config import PostTrainConfig
from training.post_training.frozen import FrozenGuard, module_hash
from training.post_training.imagined import ImaginedCodes
from training.post_training.objectives import imitation, info_nce
from training.post_training.rollouts import Collector, Trajectory
from training.post_training.samples import Samples, collate
from training.post_training.students import TrainableStudent

FREE_FIELDS = (
    "out", "iterations", "keep_every", "workers", "threads", "device", "base", "adapters", "imagined", "text_encoder"
)  # fmt: skip
"""May change when a run continues; folders are compared by what is in them (see ``OWN_FACTS``)."""
OWN_FACTS = ("world_model", "vae", "contract", "imagined", "video_adapter", "text_encoder")
"""Facts besides the configuration that must stay; ``imagined``: all that decides the imagined latents, not only whose
they are, for the same world model imagines other things with another seed, and recordings may stand in its place."""
KEPT = "kept"
"""Folder inside a run with the checkpoints of ``keep_every``, for measuring how success grows."""


class PostTrainer:
    """Student, optimiser, random state and what was frozen."""

    def __init__(
        self,
        config: PostTrainConfig,
        student: TrainableStudent,
        coder: ChunkCoder,
        codes: ImaginedCodes,
        facts: Mapping[str, Any],
        device: torch.device | None = None,
    ) -> None:
        """facts: what the checkpoint should say besides (``OWN_FACTS``)."""
        self.config = config
        self.student = student
        self.coder = coder
        self.codes = codes
        self.device = device or torch.device("cpu")
        self.guard = FrozenGuard({"base": student.frozen_hash, "action_adapter": lambda: module_hash(coder.adapter)})
        self.facts = dict(facts)
        self.optimiser = torch.optim.AdamW(
            list(student.parameters.values()), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.generator = torch.Generator().manual_seed(config.seed)
        self.iteration = 0
        self.step = 0
        self.seconds = {"rollouts": 0.0, "optimiser": 0.0}
        self.history: list[dict[str, float]] = []

    @property
    def iterations(self) -> int:
        """How many there will be; none without trajectories."""
        return self.config.iterations if self.codes.states else 0

    def states(self, iteration: int) -> list[int]:
        """Numbers of the initial states of an iteration: a function of the seed and the iteration alone.

        Each pass over the states is another permutation; within an iteration no state comes twice, because it would be
        a negative of itself.
        """
        total = len(self.codes.states)
        size = min(self.config.states_per_iteration, total)
        turn, part = divmod(iteration, total // size)
        order = np.random.default_rng([self.config.seed, turn]).permutation(total)
        return [int(n) for n in order[part * size : (part + 1) * size]]

    def advance(self, collector: Collector) -> dict[str, float]:
        """One iteration; returns what to log."""
        began = time.monotonic()
        trajectories = collector.collect(self.states(self.iteration), self.student.tensors())
        trajectories = [t for t in trajectories if len(t)]
        if not trajectories:
            raise TrainingError(
                f"iteration {self.iteration}: no rollout has a chunk with an imagined counterpart; were the latents "
                "imagined for the same kinds of task?"
            )
        collected = time.monotonic()
        if self.step == 0:
            self.student.prepare(collate(trajectories, self.codes, self.device))
        rows = [self._optimise(samples) for samples in self._batches(trajectories)]
        self.iteration += 1
        self.seconds["rollouts"] += collected - began
        self.seconds["optimiser"] += time.monotonic() - collected
        result = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        result |= {
            "iteration": float(self.iteration),
            "alignment_before": rows[0]["alignment"],
            "alignment": rows[-1]["alignment"],
            "chunks": float(sum(len(t) for t in trajectories)),
            "seconds": time.monotonic() - began,
        }
        known = [t.success for t in trajectories if t.success is not None]
        if known:
            result["success"] = float(np.mean(known))
        self.history.append(result)
        return result

    def loss(self, samples: Samples) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Scalar loss of one batch and its detached parts."""
        config = self.config.objective
        scale = self.coder.scale
        actions = self.student.executed(samples)
        shares = scale.normalise(actions)
        executed = samples.scatter(self.coder.encode(shares))
        contrast, parts = info_nce(executed, samples.imagined, samples.mask, config, self.codes.chunks)
        attraction = parts.pop("attraction")
        if config.target == "contrastive":
            loss = contrast
        elif config.target == "cosine":
            loss = 1.0 - attraction
        else:
            with torch.no_grad():
                target = self.coder.decode(samples.imagined.flatten(0, 1)).clamp(-1.0, 1.0)
            loss = imitation(samples.scatter(shares), target.unflatten(0, samples.mask.shape), samples.mask)
        change = shares - scale.normalise(samples.base[:, : self.coder.steps])
        loss = loss + config.size_penalty * (change**2).mean()
        parts |= {"loss": loss.detach(), "contrast": contrast.detach(), "change": change.detach().abs().mean()}
        return loss, parts

    def save(self) -> Path:
        """Write a checkpoint; raises TrainingError when a frozen part has changed."""
        self.guard.check()
        tensors = {
            "student": self.student.tensors(),
            "optimiser": optimiser_tensors(self.student.parameters.items(), self.optimiser),
            "random": {"generator": self.generator.get_state()},
        }
        info = {
            **self.facts,
            "method": self.config.method,
            "config": as_json(self.config),
            "frozen": self.guard.hashes,
            "optimiser_steps": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "torch": torch.__version__,
        }
        folder = save_checkpoint(self.config.out, self.iteration, tensors, info)
        every = self.config.keep_every
        if every and self.iteration and self.iteration % every == 0:
            keep_copy(folder, self.config.out / KEPT)
        return folder

    def restore(self, folder: Path) -> None:
        """Continue from a checkpoint of the same settings and frozen parts; CheckpointError names what differs."""
        info = read_info(folder)
        mine, yours = as_json(self.config), info["config"]
        found = {key: (yours.get(key), mine[key]) for key in mine if mine[key] != yours.get(key)}
        found = {key: pair for key, pair in found.items() if key not in FREE_FIELDS}
        ours = {"frozen": self.guard.hashes, **{key: self.facts.get(key) for key in OWN_FACTS}}
        found |= changes({key: info[key] for key in ours if key in info}, ours)
        refuse(f"{folder} was trained otherwise", found)
        self.student.load({name: value.to(self.device) for name, value in read_tensors(folder, "student").items()})
        load_optimiser(self.student.parameters.items(), self.optimiser, read_tensors(folder, "optimiser"))
        self.generator.set_state(read_tensors(folder, "random")["generator"])
        self.iteration = int(info["step"])
        self.step = int(info["optimiser_steps"])
        self.seconds = dict(info["seconds"])
        self.history = list(info["history"])

    def _batches(self, trajectories: Sequence[Trajectory]) -> Iterator[Samples]:
        config = self.config
        count = len(trajectories)
        size = min(config.batch_states, count) if config.batch_states else count
        whole = collate(trajectories, self.codes, self.device) if size == count else None
        for _ in range(config.gradient_steps):
            if whole is not None:
                yield whole
            else:
                rows = torch.randperm(count, generator=self.generator)[:size].tolist()
                yield collate([trajectories[i] for i in rows], self.codes, self.device)

    def _optimise(self, samples: Samples) -> dict[str, float]:
        config = self.config
        rate = set_learning_rate(
            self.optimiser,
            self.iteration / max(1, config.iterations),
            self.step,
            peak=config.learning_rate,
            final=config.final_learning_rate,
            warmup=config.warmup_steps,
            tail=0.5,
        )
        loss, parts = self.loss(samples)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(list(self.student.parameters.values()), config.clip)
        if not torch.isfinite(norm):
            raise TrainingError(
                f"iteration {self.iteration}: the gradient is not finite; continue from the last checkpoint in "
                f"{config.out} with a smaller --learning-rate (now {config.learning_rate})"
            )
        self.optimiser.step()
        self.step += 1
        return {name: float(value) for name, value in parts.items()} | {"gradient": float(norm), "learning_rate": rate}


def as_json(config: PostTrainConfig) -> dict[str, Any]:
    """The configuration as it comes back from JSON: paths as text, tuples as lists."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return values
