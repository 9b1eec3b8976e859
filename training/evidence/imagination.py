"""``measure-imagination``: how much of what an expert does can be read out of what a world model imagined.

Post-training has no other teacher than the imagined codes, so this says in advance what it can gain. On skill clips of
demonstrations that neither world model nor adapters were trained on, the world model imagines the skill from the clip's
first picture; chunk by chunk its codes are compared with what the expert did, and beside it stand

- ``recorded``: codes of the recorded video itself, the most that any world model could tell through these adapters
  (codes become actions by a linear map from the code and the chunk's place, fitted for either source by itself on the
  other half of the demonstrations);
- ``average``: the same without a code, which is the other half's mean chunk at that place;
- ``base``: the base policy, asked at the recorded observations. It sees where the arm really is; the world model has
  the first picture only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from training.alignment.actions import read_actions
from training.common.disk import write_text_atomically
from training.common.errors import EvaluationError
from training.common.holdout import check_holdout
from training.common.machine import describe_machine, git_commit
from training.common.workers import pick_device
from training.evaluation.policy import ChunkPolicy
from training.evidence.imagination_plot import write_curves
from training.evidence.imagination_report import Told, read_out, summary
from training.post_training.parts import open_adapters
from training.post_training.policies import BaseSource
from training.world_model.config import CHUNK
from training.world_model.model import WorldModel, load_world_model
from training.world_model.strips import write_strip
from training.world_model.windows import ClipReader, clip_prompt, clip_seed, held_out
from world2act_core.types import Observation

IMAGINATION = "imagination.json"


@dataclass(frozen=True)
class ImaginationConfig:
    """Compare imagined codes with what experts did in held-out skill clips."""

    world_model: Path = Path("runs/world-model-skill")
    adapters: Path = Path("runs/align")
    dataset: Path = Path("data/tabletop-skill")
    """Skill clips."""
    base: Path | None = None
    """A bundle, or a run of `training vla`, to compare with (default: none)."""
    text_encoder: Path = Path("models/text-encoder-minilm-l6-int8")
    out: Path = Path("runs/imagination")
    clips: int = 160
    """Held-out clips, spread evenly over them."""
    batch: int = 8
    steps: int = 0
    """Denoising steps (0: as the world model says)."""
    seed: int = 0
    holdout_every: int = 10
    """As in training; what the world model and the adapters say they were trained with must be the same."""
    strips: int = 6
    """Clips that are shown as a picture: recorded, imagined, and the recording through the VAE."""
    threads: int = 2


def measure_imagination(config: ImaginationConfig) -> dict[str, Any]:
    """Entry point of ``python -m training measure-imagination``; returns what is written to ``imagination.json``."""
    torch.set_num_threads(config.threads)
    model = load_world_model(config.world_model).to(pick_device())
    adapters = open_adapters(config.adapters, None, model.vae.hash)
    check_holdout(config.holdout_every, model.holdout_every, f"the world model in {config.world_model}")
    check_holdout(config.holdout_every, adapters[2].holdout_every, f"the adapters in {config.adapters}")
    reader = ClipReader(config.dataset, model.info.layout)
    clips = _clips(reader, config)
    base = None if config.base is None else BaseSource(config.base, config.text_encoder).open()
    told = _told(model, adapters, reader, clips, base, config)
    report = {
        **summary(told),
        "clips": len(clips),
        "seeds": [min(told.seeds), max(told.seeds)],
        "denoising_steps": config.steps or model.info.steps,
        "commit": git_commit(),
        "machine": describe_machine(),
    }
    write_text_atomically(config.out / IMAGINATION, json.dumps(report, indent=1) + "\n")
    write_curves(config.out / "imagination.png", report)
    print(f"{config.out}: {len(clips)} clips, mean error of a chunk in shares of the limits: {_shown(report['error'])}")
    return report


def _clips(reader: ClipReader, config: ImaginationConfig) -> list[int]:
    """Rows of the clips that are used."""
    rows = [
        number
        for number, row in enumerate(reader.rows)
        if held_out(clip_seed(row), config.holdout_every) and int(row["length"]) > CHUNK
    ]
    places = np.unique(np.linspace(0, max(0, len(rows) - 1), min(config.clips, len(rows))).round().astype(int))
    chosen = [rows[place] for place in places]
    if len({clip_seed(reader.rows[row]) for row in chosen}) < 2:
        raise EvaluationError(
            f"{config.dataset}: {len(rows)} clips with a whole chunk are held out with --holdout-every "
            f"{config.holdout_every}, {len(chosen)} chosen by --clips; they must come from two or more demonstrations"
        )
    return chosen


@torch.no_grad()
def _told(
    model: WorldModel,
    adapters: tuple[Any, Any, Any],
    reader: ClipReader,
    clips: list[int],
    base: ChunkPolicy | None,
    config: ImaginationConfig,
) -> Told:
    video, action, info = adapters
    if info.adapters.chunk != CHUNK:
        raise EvaluationError(f"{config.adapters} pairs chunks of {info.adapters.chunk} actions, a latent has {CHUNK}")
    actions, count = read_actions(config.dataset), model.info.chunks
    parts: dict[str, list[torch.Tensor]] = {name: [] for name in ("recorded", "imagined", "expert", "mask", "base")}
    for start in track(range(0, len(clips), config.batch), "imagining"):
        numbers = clips[start : start + config.batch]
        pairs = [reader.frames(number, 0, model.info.frames) for number in numbers]
        frames = torch.from_numpy(np.stack([pictures for pictures, _ in pairs]))
        prompts = [clip_prompt(reader.rows[number]) for number in numbers]
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + start)
        recorded = model.encode(frames)
        imagined = model.generate(frames[:, 0], prompts, config.steps or None, generator)
        parts["recorded"].append(video(recorded.cpu()))
        parts["imagined"].append(video(imagined.cpu()))
        parts["expert"].append(torch.from_numpy(np.stack([actions.chunks(n, 0, count, CHUNK) for n in numbers])))
        present = [int(valid.sum()) - 1 for _, valid in pairs]
        parts["mask"].append(torch.arange(count) < torch.tensor(present)[:, None] // CHUNK)
        if base is not None:
            answers = [_asked(base, reader, number, count) for number in numbers]
            parts["base"].append(info.scale.normalise(torch.stack(answers)))
        _show(model, frames, imagined, recorded, prompts, start, config)
    joined = {name: torch.cat(values) for name, values in parts.items() if values}
    codes = {name: joined[name] for name in ("recorded", "imagined")}
    expert, mask = action.encode(joined["expert"]), joined["mask"]
    seeds = tuple(clip_seed(reader.rows[number]) for number in clips)
    chunks = {name: read_out(code, joined["expert"], mask, seeds).clamp(-1.0, 1.0) for name, code in codes.items()}
    if base is not None:
        chunks["base"] = joined["base"].clamp(-1.0, 1.0)
    dims = {dim.name: info.contract.action_slice(dim.name) for dim in info.contract.action}
    return Told(joined["expert"], expert, mask, codes, chunks, dims, seeds)


def _asked(base: ChunkPolicy, reader: ClipReader, number: int, count: int) -> torch.Tensor:
    """What the policy would execute at every whole chunk of a clip, [count, M, A] in robot units, zeros elsewhere."""
    row = reader.rows[number]
    first, length = int(row["dataset_from_index"]), int(row["length"])
    state = reader.reader.episode_columns(number)["observation.state"].astype(np.float32)
    answers = torch.zeros(count, CHUNK, base.contract.action_size)
    for chunk in range(min(count, (length - 1) // CHUNK)):
        frame = chunk * CHUNK
        images = {camera.name: reader.reader.frame(first + frame, camera.name) for camera in base.contract.cameras}
        answer = base.act(Observation(frame / reader.fps, images, state[frame]), clip_prompt(row))
        answers[chunk] = torch.from_numpy(np.asarray(answer.actions[:CHUNK]))
    return answers


def _show(
    model: WorldModel,
    frames: torch.Tensor,
    imagined: torch.Tensor,
    recorded: torch.Tensor,
    prompts: list[str],
    start: int,
    config: ImaginationConfig,
) -> None:
    """A picture of each of the first clips."""
    wanted = max(0, min(len(prompts), config.strips - start))
    if not wanted:
        return
    videos = {
        "truth": frames[:wanted].numpy(),
        "skill": model.decode(imagined[:wanted]).cpu().numpy(),
        "vae": model.decode(recorded[:wanted]).cpu().numpy(),
    }
    for number in range(wanted):
        content = {name: video[number] for name, video in videos.items()}
        write_strip(config.out / f"strip-{start + number:03d}.png", content, prompts[number])


def _shown(errors: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(f"{name} {values['mean']:.3f}" for name, values in errors.items())
