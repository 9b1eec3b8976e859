"""``world-model-evaluate``: Base-WM against Skill-WM on held-out episodes, by horizon, paired on the same seeds.

Both get the same first picture and the same noise seed. Base-WM is given the episode's instruction for as long as the
episode lasts; Skill-WM is given each skill's prompt for as long as that skill lasted in the recording, each sub-video
starting from the last picture of the one before. The timing of the skills is thus the recording's, not the model's.
Two references need no world model: the first picture held still, and the recording through the VAE and back (no model
that uses this VAE can do better).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from training.common.checkpoint import checkpoints, latest_checkpoint, read_info
from training.common.disk import write_text_atomically
from training.common.errors import EvaluationError
from training.common.holdout import check_holdout
from training.common.machine import describe_machine, git_commit
from training.common.workers import pick_device
from training.world_model.composition import generate_timed
from training.world_model.config import CHUNK
from training.world_model.metrics import (
    FEATURES,
    Floats,
    bootstrap_frechet_difference,
    bootstrap_mean,
    features,
    frechet_distance,
    psnr,
    ssim,
)
from training.world_model.model import WorldModel, load_world_model
from training.world_model.strips import write_curves, write_strip
from training.world_model.train import clips_seen
from training.world_model.windows import ClipReader, clip_prompt, clip_seed, held_out

Video = NDArray[np.uint8]
SIDES = ("base", "skill")
REFERENCES = ("still", "vae")


@dataclass(frozen=True)
class EvaluateConfig:
    """Compare two world models on the held-out episodes of the dataset of whole demonstrations."""

    base: Path = Path("runs/world-model-base")
    skill: Path = Path("runs/world-model-skill")
    dataset: Path = Path("data/tabletop")
    out: Path = Path("runs/world-model-evaluation")
    episodes: int = 50
    """Held-out episodes to use at most, in order of the dataset."""
    horizons: tuple[int, ...] = (8, 16, 24, 32, 48, 64, 96)
    """Upper ends, in frames, of the ranges that are averaged over: (0, 8], (8, 16] ..."""
    steps: int = 0
    """Denoising steps (0: the preset's)."""
    seed: int = 0
    strips: int = 4
    holdout_every: int = 10
    """As in training; what a world model says it was trained with must be the same."""
    frechet_draws: int = 200
    """Bootstrap draws for the interval of the Frechet distances' difference."""
    threads: int = 2


@dataclass
class Outcome:
    """One episode: per video name, PSNR and SSIM [T] of frames 1 .. T, and features [T, D] (also of the truth)."""

    seed: int
    prompt: str
    psnr: dict[str, Floats]
    ssim: dict[str, Floats]
    features: dict[str, Floats]


def evaluate(config: EvaluateConfig) -> dict[str, Any]:
    """Entry point of ``python -m training world-model-evaluate``; returns the content of ``evaluation.json``."""
    torch.set_num_threads(config.threads)
    folders = {"base": config.base, "skill": config.skill}
    models = {name: load_world_model(folder).to(pick_device()) for name, folder in folders.items()}
    _check_comparable(models)
    for name, model in models.items():
        check_holdout(config.holdout_every, model.holdout_every, f"the world model in {folders[name]}")
    reader = ClipReader(config.dataset, models["base"].info.layout)
    rows = [i for i, row in enumerate(reader.rows) if held_out(clip_seed(row), config.holdout_every)]
    if not rows:
        raise EvaluationError(f"{config.dataset}: no episode is held out with --holdout-every {config.holdout_every}")
    config.out.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for number, row in enumerate(track(rows[: config.episodes], "imagining")):
        videos = imagine(models, reader, row, config)
        outcomes.append(compare(models["base"], videos, reader.rows[row]))
        if number < config.strips:
            write_strip(config.out / f"strip-{outcomes[-1].seed}.png", videos, clip_prompt(reader.rows[row]))
    report = summarise(outcomes, config, models)
    write_text_atomically(config.out / "evaluation.json", json.dumps(report, indent=1))
    write_curves(config.out / "evaluation.png", report)
    _print_table(report)
    print(f"wrote {config.out}/evaluation.json, evaluation.png and {min(config.strips, len(outcomes))} strips")
    return report


def segments(row: dict[str, Any], last: int) -> list[tuple[str, int]]:
    """(prompt, frames) of an episode's skills, together covering frames 1 .. ``last``; one when it names no skills."""
    result: list[tuple[str, int]] = []
    position = 0
    stops = [min(int(stop), last) for stop in row.get("skill_to") or []]
    for prompt, stop in zip(row.get("skills") or [], stops):
        if stop > position:
            result.append((str(prompt), stop - position))
            position = stop
    if not result:
        return [(clip_prompt(row), last)]
    result[-1] = (result[-1][0], result[-1][1] + last - position)
    return result


def imagine(models: dict[str, WorldModel], reader: ClipReader, row: int, config: EvaluateConfig) -> dict[str, Video]:
    """The recording and what is made of its first picture, each uint8 [1 + T, H, W, 3], by name."""
    content = reader.rows[row]
    last = min(int(content["length"]) - 1, max(config.horizons))
    recorded, _ = reader.frames(row, 0, 1 + last)
    truth = torch.from_numpy(recorded)
    plans = {"base": [(clip_prompt(content), last)], "skill": segments(content, last)}
    videos = {"truth": recorded}
    for name, model in models.items():
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + clip_seed(content))
        made = generate_timed(model, truth[0], plans[name], generator, config.steps or None)
        videos[name] = made.numpy()
    videos["still"] = np.repeat(recorded[:1], len(recorded), axis=0)
    base = models["base"]
    padded = truth[torch.arange(-(-last // CHUNK) * CHUNK + 1).clamp(max=last)]
    videos["vae"] = base.decode(base.encode(padded[None]))[0, : 1 + last].cpu().numpy()
    return videos


def compare(model: WorldModel, videos: dict[str, Video], row: dict[str, Any]) -> Outcome:
    """Measure every video against the recording, frame by frame; the given first frame does not count."""
    frames = {name: torch.from_numpy(video)[1:] for name, video in videos.items()}
    made = [name for name in frames if name != "truth"]
    return Outcome(
        clip_seed(row),
        clip_prompt(row),
        {name: psnr(frames[name], frames["truth"]) for name in made},
        {name: ssim(frames[name], frames["truth"]) for name in made},
        {name: features(model.vae, part) for name, part in frames.items()},
    )


def summarise(outcomes: Sequence[Outcome], config: EvaluateConfig, models: dict[str, WorldModel]) -> dict[str, Any]:
    """The content of ``evaluation.json``."""
    base, skill = (_budget(folder) for folder in (config.base, config.skill))
    ranges = list(zip((0, *config.horizons), config.horizons))
    return {
        "question": "Base-WM against Skill-WM, held-out episodes, same first pictures and noise seeds",
        "feature_space": f"{FEATURES} of VAE {models['base'].vae.hash[:12]}",
        "vae_sha256": models["base"].vae.hash,
        "budget_clips": {"base": base, "skill": skill, "equal": base == skill},
        "protocol": json.loads(json.dumps(asdict(config), default=str)),
        "denoising_steps": {name: config.steps or model.info.steps for name, model in models.items()},
        "timing_of_skills": "as recorded",
        "commit": git_commit(),
        "machine": describe_machine(),
        "seeds": [outcome.seed for outcome in outcomes],
        "horizons": [entry for low, high in ranges if (entry := _range(outcomes, low, high, config)) is not None],
        "episodes": [
            {
                "seed": o.seed,
                "prompt": o.prompt,
                "frames": len(o.psnr["base"]),
                **{f"psnr_{name}": float(o.psnr[name].mean()) for name in (*SIDES, *REFERENCES)},
            }
            for o in outcomes
        ],
    }


def _range(outcomes: Sequence[Outcome], low: int, high: int, config: EvaluateConfig) -> dict[str, Any] | None:
    """Frames low + 1 .. high: means over episodes that reach them, and skill minus base with 95 % intervals."""
    present = [o for o in outcomes if len(o.psnr["base"]) > low]
    if not present:
        return None
    entry: dict[str, Any] = {"after": low, "to": high, "n": len(present)}
    for metric in ("psnr", "ssim"):
        means = {
            name: np.array([getattr(o, metric)[name][low:high].mean() for o in present])
            for name in (*SIDES, *REFERENCES)
        }
        entry[metric] = {name: float(values.mean()) for name, values in means.items()}
        difference, *interval = bootstrap_mean(means["skill"] - means["base"], config.seed)
        entry[f"{metric}_skill_minus_base"] = {"estimate": difference, "interval": interval}
    parts = {name: [o.features[name][low:high] for o in present] for name in ("truth", *SIDES, *REFERENCES)}
    real = np.concatenate(parts["truth"])
    entry["frames"] = len(real)
    entry["frechet"] = {name: frechet_distance(np.concatenate(parts[name]), real) for name in (*SIDES, *REFERENCES)}
    if len(present) > 1:
        estimate, *interval = bootstrap_frechet_difference(
            parts["truth"], parts["base"], parts["skill"], config.seed, config.frechet_draws
        )
        entry["frechet_skill_minus_base"] = {"estimate": estimate, "interval": interval}
    return entry


def _check_comparable(models: dict[str, WorldModel]) -> None:
    base, skill = models["base"], models["skill"]
    if base.vae.hash != skill.vae.hash:
        raise EvaluationError(
            f"the two world models have different VAEs ({base.vae.hash[:12]}, {skill.vae.hash[:12]}); train both on one"
        )
    if base.info.layout != skill.info.layout:
        raise EvaluationError(f"the two world models see different views: {base.info.layout}, {skill.info.layout}")


def _budget(folder: Path) -> int | None:
    """Clips seen in training; None for an untouched Cosmos-Predict2 folder."""
    trained = bool(checkpoints(folder)) or (folder / "checkpoint.json").exists()
    return clips_seen(read_info(latest_checkpoint(folder))) if trained else None


def _print_table(report: dict[str, Any]) -> None:
    table = Table(
        "frames", "n", "PSNR base", "PSNR skill", "skill - base [95 %]", "still", "VAE", "Frechet base / skill"
    )
    for entry in report["horizons"]:
        values, paired = entry["psnr"], entry["psnr_skill_minus_base"]
        low, high = paired["interval"]
        table.add_row(
            f"{entry['after'] + 1}-{entry['to']}",
            str(entry["n"]),
            f"{values['base']:.2f}",
            f"{values['skill']:.2f}",
            f"{paired['estimate']:+.2f} [{low:+.2f}, {high:+.2f}]",
            f"{values['still']:.2f}",
            f"{values['vae']:.2f}",
            f"{entry['frechet']['base']:.3f} / {entry['frechet']['skill']:.3f}",
        )
    Console().print(table)
    if not report["budget_clips"]["equal"]:
        print(f"note: the two models were not trained on equal budgets: {report['budget_clips']}")
