"""The configuration of ``python -m training skills``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from training.common.errors import TrainingError
from training.skills.interactions import GripperConfig, TouchConfig
from training.skills.language_model import LanguageModelConfig
from training.skills.segment import SegmentationConfig
from training.skills.template import load_template


@dataclass(frozen=True)
class SkillsConfig:
    """Cut a dataset's demonstrations into skill clips. Running the same command again continues where it stopped."""

    dataset: Path = Path("data/tabletop")
    out: Path | None = None
    """Default: next to the dataset, with -skill behind its name."""
    decomposer: Literal["grammar", "llm"] = "grammar"
    """Who writes the atomic prompts: the grammar (offline, deterministic) or a language model."""
    llm: LanguageModelConfig = field(default_factory=LanguageModelConfig)
    segmentation: SegmentationConfig = field(default_factory=SegmentationConfig)
    include_failed: bool = False
    """Also cut demonstrations that failed (their instruction may not be what is seen)."""
    minimum_frames: int | None = None
    """Demonstrations with a shorter clip are discarded; None: the contract's steps per executed chunk."""
    tolerance_frames: int = 5
    """A found boundary this close to a true one agrees with it."""
    max_episodes: int | None = None
    """Use only the first so many demonstrations."""
    clips_per_file: int = 50
    figure: bool = True
    """Draw the distribution of clip lengths."""

    @property
    def folder(self) -> Path:
        """Where the clips go."""
        return self.out or self.dataset.parent / f"{self.dataset.resolve().name}-skill"

    def check(self) -> None:
        """Raise TrainingError when a value makes no sense, before anything is written."""
        gripper, touch = self.segmentation.gripper, self.segmentation.touch
        lowest: dict[str, tuple[float | None, float]] = {
            "--minimum-frames": (self.minimum_frames, 1),
            "--tolerance-frames": (self.tolerance_frames, 0),
            "--max-episodes": (self.max_episodes, 1),
            "--clips-per-file": (self.clips_per_file, 1),
            "--llm.parallel": (self.llm.parallel, 1),
            **{f"--segmentation.gripper.{name}": (value, 0) for name, value in _numbers(gripper)},
            **{f"--segmentation.touch.{name}": (value, -1 if name == "turn_cosine" else 0)
               for name, value in _numbers(touch)},
            **{f"--segmentation.{name}": (value, 0) for name, value in _numbers(self.segmentation)},
        }  # fmt: skip
        problems = [
            f"{name.replace('_', '-')} is {value}, it must be {least:g} or more"
            for name, (value, least) in lowest.items()
            if value is not None and not value >= least
        ]
        if gripper.closing_m == 0 or not 0 < gripper.closing_fraction < 1:
            problems.append(
                "--segmentation.gripper.closing-m must be above 0 m (the paper: 0.05), closing-fraction between 0 and 1"
            )
        if not gripper.hysteresis <= 1:
            problems.append(
                f"--segmentation.gripper.hysteresis is {gripper.hysteresis}, a share of the threshold from 0 to 1"
            )
        if problems:
            raise TrainingError("; ".join(problems))

    def fingerprint(self) -> dict[str, Any]:
        """What decides the clips; a dataset made with something else is not continued."""
        settings: dict[str, Any] = {
            "decomposer": self.decomposer,
            "segmentation": asdict(self.segmentation),
            "include_failed": self.include_failed,
            "minimum_frames": self.minimum_frames,
        }
        if self.decomposer == "llm":
            settings |= {"model": self.llm.model, "template": load_template(self.llm.template).digest}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
        return {**settings, "hash": digest}


def _numbers(part: GripperConfig | TouchConfig | SegmentationConfig) -> list[tuple[str, float]]:
    """Name and value of every number among the settings."""
    values = ((entry.name, getattr(part, entry.name)) for entry in fields(part))
    return [(name, value) for name, value in values if isinstance(value, float)]
