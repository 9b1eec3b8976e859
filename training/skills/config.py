"""The configuration of ``python -m training skills``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from training.skills.language_model import LanguageModelConfig
from training.skills.segment import SegmentationConfig
from training.skills.template import load_template


@dataclass(frozen=True)
class SkillsConfig:
    """Cut a dataset's demonstrations into skill clips. Running the same command again continues where it stopped."""

    dataset: Path = Path("data/tabletop")
    out: Path = Path("data/tabletop-skill")
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
