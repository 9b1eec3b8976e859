"""Where a run of the recipe keeps what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Folders of a run; ``dataset``: the demonstrations, which may lie elsewhere."""

    root: Path
    dataset: Path
    cache: Path
    text_encoder: Path

    @property
    def skill_dataset(self) -> Path:
        """Skill clips cut out of the demonstrations."""
        return self.root / "data/tabletop-skill"

    @property
    def policy(self) -> Path:
        """Run of the base policy."""
        return self.root / "base-policy"

    @property
    def vae(self) -> Path:
        """Run of the video VAE."""
        return self.root / "vae"

    def latents(self, kind: str) -> Path:
        """Cached latents of ``whole`` demonstrations or ``skill`` clips; ``imagined``, ``imagined-base``: made up."""
        return self.root / f"latents-{kind}"

    def world_model(self, kind: str) -> Path:
        """Run of Base-WM (``base``) or Skill-WM (``skill``)."""
        return self.root / f"world-model-{kind}"

    @property
    def comparison(self) -> Path:
        """Base-WM against Skill-WM."""
        return self.root / "world-model-evaluation"

    @property
    def imagination(self) -> Path:
        """How much of experts' actions imagined video tells."""
        return self.root / "imagination"

    def imagined(self, name: str) -> Path:
        """Imagined latents: of ``skill``, ``base`` or ``evaluation`` starts."""
        return self.root / f"imagined-{name}"

    def arm(self, name: str) -> Path:
        """What post-training left of an arm."""
        return self.root / "arms" / name

    def measured(self, name: str) -> Path:
        """What was measured of an arm."""
        return self.root / "evaluation" / name

    def bundle(self, name: str) -> Path:
        """An exported bundle."""
        return self.root / "bundles" / name

    @property
    def evidence(self) -> Path:
        """The claims of this run."""
        return self.root / "evidence/world2act.json"

    @property
    def report(self) -> Path:
        """A folder of its own that can be given away."""
        return self.root / "report"
