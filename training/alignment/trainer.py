"""Adapters, optimiser and step number; everything a checkpoint holds."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from training.alignment.adapters import Aligner
from training.alignment.batches import BatchSource, step_generator
from training.alignment.config import AdapterConfig, AlignConfig, objective_of, schedule_of
from training.alignment.objective import Codes, alignment_loss
from training.alignment.pairs import Pairs
from training.common.checkpoint import read_info, read_tensors, save_checkpoint
from training.common.contracts import require_same_contract
from training.common.errors import TrainingError
from training.common.optimiser_state import load_optimiser, optimiser_tensors
from training.common.precision import use_bf16
from training.common.sameness import Changes, changes, refuse
from training.common.schedule import set_learning_rate
from training.common.workers import Workers
from world2act_core.contract import Contract

DECISIVE = ("holdout_every", "action_chunks")
"""Entries of the configuration that decide what is learnt besides adapters, objective, schedule and data."""
RATES = ("learning_rate", "final_learning_rate", "warmup", "cosine_tail")
"""Of the schedule: may change while steps are left."""


class Trainer:
    """One run of the alignment in one process (of ``workers.world``)."""

    def __init__(self, config: AlignConfig, adapters: AdapterConfig, source: BatchSource, workers: Workers) -> None:
        self.config, self.adapters, self.workers = config, adapters, workers
        self.objective, self.schedule = objective_of(config), schedule_of(config)
        self.contract = source.actions.contract
        self.vae = source.clips.vae
        self.latents = source.clips.origin
        # The same weights on every rank and in every ablation of a seed.
        torch.manual_seed(config.seed)
        self.aligner = Aligner(adapters, self.contract.action_size).to(workers.device)
        self._module = _distributed(self.aligner, workers)
        self.optimiser = torch.optim.AdamW(
            self.aligner.parameters(),
            lr=self.schedule.learning_rate,
            betas=self.schedule.betas,
            weight_decay=self.schedule.weight_decay,
        )
        self._bf16 = use_bf16(config.bf16, workers.device.type)
        self.step = 0
        self.history: list[str] = []
        index = source.index
        self.data = {
            "training_windows": len(index.training),
            "held_out_windows": len(index.held_out),
            "tasks": len(index.tasks),
            "chunks": index.chunks,
        }

    @property
    def done(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= self.schedule.steps

    def advance(self, batch: Pairs) -> dict[str, torch.Tensor]:
        """One optimiser step; returns what to log."""
        schedule = self.schedule
        rate = set_learning_rate(
            self.optimiser,
            self.step / schedule.steps,
            self.step,
            peak=schedule.learning_rate,
            final=schedule.final_learning_rate,
            warmup=schedule.warmup,
            tail=schedule.cosine_tail,
        )
        loss, parts = self.loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.aligner.parameters(), schedule.clip)
        if not torch.isfinite(norm):
            raise TrainingError(
                f"step {self.step}: the gradient is not finite; continue from the last checkpoint in {self.config.out} "
                f"with a smaller --schedule.learning-rate (now {schedule.learning_rate})"
            )
        self.optimiser.step()
        self.step += 1
        return {**parts, "loss": loss.detach(), "gradient": norm.detach(), "learning_rate": torch.tensor(rate)}

    def loss(self, batch: Pairs) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Loss and its parts on one batch, with the random numbers of the current step."""
        generator = step_generator(self.config.seed, self.workers.rank, self.step)
        pairs = batch.to(self.workers.device)
        shape = (*pairs.actions.shape[:2], self.adapters.code)
        noise = torch.randn(shape, generator=generator) if self.adapters.variational else torch.zeros(shape)
        with torch.autocast(self.workers.device.type, torch.bfloat16, enabled=self._bf16):
            made = self._module(pairs.latents, pairs.actions, noise.to(self.workers.device))
        return alignment_loss(Codes(*made), pairs, self.objective, generator)

    def save(self) -> None:
        """Write a checkpoint under the run's folder (first rank only; all hold the same)."""
        if not self.workers.main:
            return
        tensors = {
            "adapters": dict(self.aligner.state_dict()),
            "optimiser": optimiser_tensors(self.aligner.named_parameters(), self.optimiser),
        }
        info = {
            "config": jsonable(dataclasses.asdict(self.config)),
            "adapters": jsonable(dataclasses.asdict(self.adapters)),
            "objective": jsonable(dataclasses.asdict(self.objective)),
            "schedule": jsonable(dataclasses.asdict(self.schedule)),
            "contract": self.contract.to_text(),
            "vae": self.vae,
            "latents": self.latents,
            "data": self.data,
            # All random numbers follow from these (see step_generator and BatchSource.batch).
            "rng": {"seed": self.config.seed, "step": self.step, "world": self.workers.world},
            "history": self.history,
            "torch": torch.__version__,
        }
        save_checkpoint(self.config.out, self.step, tensors, info)

    def restore(self, folder: Path) -> None:
        """Continue from a checkpoint of the same adapters, objective, data and number of processes."""
        info = read_info(folder)
        self._check_same_run(folder, info)
        self.aligner.load_state_dict(read_tensors(folder, "adapters"))
        load_optimiser(self.aligner.named_parameters(), self.optimiser, read_tensors(folder, "optimiser"))
        self.step = int(info["step"])
        self.history = list(info.get("history", []))

    def _check_same_run(self, folder: Path, info: dict[str, Any]) -> None:
        config = jsonable(dataclasses.asdict(self.config))
        ours = {
            "adapters": jsonable(dataclasses.asdict(self.adapters)),
            "objective": jsonable(dataclasses.asdict(self.objective)),
            "schedule": jsonable(dataclasses.asdict(self.schedule)),
            "vae": self.vae,
            "latents": self.latents,
            "data": self.data,
            "config": {name: config[name] for name in DECISIVE},
            "rng": {"seed": self.config.seed, "world": self.workers.world},
        }
        found: Changes = {}
        for name, values in ours.items():
            there = info.get(name)
            if isinstance(values, dict) and isinstance(there, dict):
                there = {key: there[key] for key in values if key in there}
            if there is not None:
                found |= changes({name: there}, {name: values})
        # More steps or another rate go on with the same pairs; a run without steps left would not heed them.
        left = self.schedule.steps - int(info["step"])
        free = ("steps",) if left == 0 else ("steps", *RATES) if left > 0 else ()
        refused = {name: pair for name, pair in found.items() if name not in {f"schedule.{entry}" for entry in free}}
        refuse(f"{folder} is of another run", refused)
        theirs = Contract.from_text(info["contract"], str(folder))
        require_same_contract(folder, theirs, self.contract, "the dataset", "choose another --out")


def _distributed(aligner: Aligner, workers: Workers) -> torch.nn.Module:
    if workers.world == 1:
        return aligner
    return DistributedDataParallel(aligner, device_ids=[workers.device] if workers.device.type == "cuda" else None)


def jsonable(value: Any) -> Any:
    """Paths as text and tuples as lists, as they come back from JSON."""
    return json.loads(json.dumps(value, default=str))
