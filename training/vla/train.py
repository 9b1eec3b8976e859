"""``vla``: train the nano VLA; run again with the same --out to continue from its last checkpoint."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from training.common.checkpoint import checkpoints, latest_checkpoint, read_info, read_tensors, save_checkpoint
from training.common.contracts import require_same_contract
from training.common.ema import WeightAverage
from training.common.errors import CheckpointError, TrainingError
from training.common.interrupt import Interrupted
from training.common.optimiser_state import load_optimiser, optimiser_tensors
from training.common.precision import use_bf16
from training.common.schedule import set_learning_rate
from training.data.cache import FrameCache
from training.data.lerobot_reader import LeRobotReader
from training.vla.batches import Batch, BatchSource, skill_labels
from training.vla.config import ModelConfig, VlaTrainConfig
from training.vla.index import FrameIndex, build_index
from training.vla.language import pretrain_language
from training.vla.losses import batch_loss
from training.vla.model import NanoVla
from training.vla.normalisation import Normalisation
from training.vla.report import TrainReport
from training.vla.text import embed_skills
from world2act_core.bundle import BundleError, load_bundle
from world2act_core.compatibility import ContractMismatch
from world2act_core.contract import Contract
from world2act_core.manifest import MANIFEST_NAME


def train(config: VlaTrainConfig) -> Path:
    """Entry point of ``python -m training vla``; returns the folder of the last checkpoint."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    cache = FrameCache(config.cache)
    index = build_index(LeRobotReader(cache.dataset), len(cache), cache.contract, config.sampling)
    trainer = Trainer(config, cache.contract, index)
    texts = embed_skills(index.skills, config.text_encoder, config.sampling.paraphrases, config.seed)
    if checkpoints(config.out):
        trainer.restore(latest_checkpoint(config.out))
    elif config.init is not None and (config.init / MANIFEST_NAME).exists():
        trainer.start_from_bundle(config.init)
        labels = skill_labels(cache.contract, index)
        pretrain_language(trainer.model, texts, labels, config.language_steps, config.seed, heads_only=True)
    elif config.init is not None:
        trainer.start_from(latest_checkpoint(config.init))
    else:
        labels = skill_labels(cache.contract, index)
        share = pretrain_language(trainer.model, texts, labels, config.language_steps, config.seed)
        print(f"language adapter: {share:.1%} of {len(texts.embeddings)} sentences read right")
    trainer.history.append(f"from step {trainer.step}: python -m training {' '.join(sys.argv[1:])}")
    source = BatchSource(cache, index, texts, config.sampling, config.augment, config.batch, config.seed)
    with TrainReport(config.out, config.log_every) as report:
        report.describe(trainer.model, index, trainer.step)
        _run(config, trainer, source, report)
    return trainer.save()


def _run(config: VlaTrainConfig, trainer: Trainer, source: BatchSource, report: TrainReport) -> None:
    last_save = time.monotonic()
    with closing(source.stream(trainer.step)) as stream, Interrupted() as interrupted:
        while trainer.progress < 1.0 and not interrupted:
            report.add(trainer.advance(next(stream)), trainer, config.batch)
            if time.monotonic() - last_save > config.checkpoint_minutes * 60:
                trainer.save()
                last_save = time.monotonic()


class Trainer:
    """Model, optimiser and average; everything a checkpoint holds."""

    def __init__(self, config: VlaTrainConfig, contract: Contract, index: FrameIndex) -> None:
        self.config = config
        self.contract = contract
        normalisation = Normalisation.fitted(contract, index.state[index.frames], index.action[index.frames])
        self.model = NanoVla(contract, config.model, normalisation)
        for encoder in self.model.cameras.values():
            encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model.mixed = use_bf16(config.bf16)
        self.average = WeightAverage(self.model, config.ema)
        self.optimiser = _optimiser(self.model, config)
        self.step = 0
        self.seconds = 0.0
        self.history: list[str] = []
        self.data = {"episodes": index.episodes, "frames": len(index.frames), "skills": len(index.skills)}

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        if self.config.steps:
            return min(1.0, self.step / self.config.steps)
        return min(1.0, self.seconds / (self.config.minutes * 60.0))

    def advance(self, batch: Batch) -> dict[str, float | torch.Tensor]:
        """One optimiser step; returns what to log."""
        began = time.monotonic()
        config = self.config
        rate = set_learning_rate(
            self.optimiser,
            self.progress,
            self.step,
            peak=config.learning_rate,
            final=config.final_learning_rate,
            warmup=config.warmup_steps,
            tail=config.cosine_tail,
        )
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        loss, parts = batch_loss(self.model, batch, config.loss, generator)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        if not torch.isfinite(norm):
            raise TrainingError(
                f"step {self.step}: the gradient is not finite; continue from the last checkpoint in {config.out} with "
                f"a smaller --learning-rate (now {config.learning_rate})"
            )
        self.optimiser.step()
        self.average.update(self.model, self.step)
        self.step += 1
        self.seconds += time.monotonic() - began
        return {**parts, "loss": loss.detach(), "gradient": norm.detach(), "learning_rate": rate}

    def save(self) -> Path:
        """Write a checkpoint under the run's folder."""
        tensors = {
            "model": dict(self.model.state_dict()),
            "average": self.average.weights,
            "optimiser": optimiser_tensors(self.model.named_parameters(), self.optimiser),
        }
        info = {
            "seconds": self.seconds,
            "config": _jsonable(dataclasses.asdict(self.config)),
            "contract": self.contract.to_text(),
            "data": self.data,
            "history": self.history,
            "torch": torch.__version__,
        }
        return save_checkpoint(self.config.out, self.step, tensors, info)

    def restore(self, folder: Path) -> None:
        """Continue from a checkpoint of the same model; batches and noise follow from its step number."""
        info = read_info(folder)
        _check_same_model(folder, info, self.config.model, self.contract, "choose another --out")
        self.model.load_state_dict(read_tensors(folder, "model"))
        self.average.load(read_tensors(folder, "average"))
        load_optimiser(self.model.named_parameters(), self.optimiser, read_tensors(folder, "optimiser"))
        self.step = int(info["step"])
        self.seconds = float(info["seconds"])
        self.history = list(info.get("history", []))

    def start_from(self, folder: Path) -> None:
        """Take the averaged weights and the normalisation of another run; step and schedule start at zero."""
        info = read_info(folder)
        _check_same_model(folder, info, self.config.model, self.contract, "choose another --init, or none")
        self.model.load_state_dict(read_tensors(folder, "model"))
        self.average.load(read_tensors(folder, "average"))
        self.average.copy_to(self.model)
        self.history = list(info.get("history", []))

    def start_from_bundle(self, folder: Path) -> None:
        """Take the weights and the normalisation of an exported bundle, whose training run may be long gone."""
        from training.export.weights import load_graph_weights

        try:
            bundle = load_bundle(folder, self.contract, "the cache")
        except (BundleError, ContractMismatch) as error:
            raise CheckpointError(f"--init: {error}") from error
        load_graph_weights(self.model, bundle.graph_path)
        self.average = WeightAverage(self.model, self.config.ema)
        self.history = list((bundle.manifest.training or {}).get("history", []))


def load_trained(folder: Path) -> tuple[NanoVla, dict[str, Any]]:
    """The averaged model of a checkpoint or a run's newest one, in eval mode, and the checkpoint's info."""
    folder = latest_checkpoint(folder)
    info = read_info(folder)
    contract = Contract.from_text(info["contract"], source=str(folder))
    values = dict(info["config"]["model"])
    values["channels"] = tuple(values["channels"])
    model = NanoVla(contract, ModelConfig(**values), Normalisation(contract))
    model.load_state_dict(read_tensors(folder, "model"))
    average = read_tensors(folder, "average")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(average[name])
    return model.eval(), info


def _optimiser(model: NanoVla, config: VlaTrainConfig) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)


def _check_same_model(folder: Path, info: dict[str, Any], config: ModelConfig, contract: Contract, advice: str) -> None:
    expected = _jsonable(dataclasses.asdict(config))
    if info["config"]["model"] != expected:
        theirs = info["config"]["model"]
        changed = {key: (theirs.get(key), value) for key, value in expected.items() if theirs.get(key) != value}
        raise CheckpointError(f"{folder} is of another model (checkpoint, now): {changed}; {advice}")
    require_same_contract(folder, Contract.from_text(info["contract"], str(folder)), contract, "the cache", advice)


def _jsonable(value: Any) -> Any:
    """Paths as text and tuples as lists, as they come back from JSON."""
    return json.loads(json.dumps(value, default=str))
