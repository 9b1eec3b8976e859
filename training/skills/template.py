"""The question put to the language model: a YAML file for people to read and change, filled in per demonstration."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import yaml

from training.common.errors import DatasetError
from training.skills.segment import Segment

BUILT_IN = "decompose.yaml"
FIELDS = ("instruction", "count", "segments")
CUES = {"grasp": "grasps an object", "touch": "touches something without grasping", "none": "no contact was seen"}


@dataclass(frozen=True)
class PromptTemplate:
    """``system`` is sent as it is; ``user`` and ``segment`` have $-fields (see :data:`FIELDS`)."""

    system: str
    user: Template
    segment: Template

    @property
    def digest(self) -> str:
        """Short hash of the texts."""
        text = "\0".join((self.system, self.user.template, self.segment.template))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def question(self, instruction: str, segments: Sequence[Segment], fps: float) -> str:
        """The user message for one demonstration."""
        lines = [
            self.segment.substitute(
                index=i + 1,
                start=f"{part.start / fps:.1f}",
                stop=f"{part.stop / fps:.1f}",
                cue=CUES[part.cue],
                before="holding the object" if part.starts_holding else "empty",
                after="holding the object" if part.ends_holding else "empty",
            )
            for i, part in enumerate(segments)
        ]
        return self.user.substitute(instruction=instruction, count=len(segments), segments="\n".join(lines))


def load_template(path: Path | None = None) -> PromptTemplate:
    """The template at ``path``, or the one that comes with the package; :class:`DatasetError` when it is unusable."""
    where = str(path) if path else f"the built-in {BUILT_IN}"
    try:
        text = path.read_text(encoding="utf-8") if path else (files("training.skills") / BUILT_IN).read_text("utf-8")
        data = yaml.safe_load(text)
        template = PromptTemplate(str(data["system"]), Template(data["user"]), Template(data["segment"]))
        missing = [name for name in FIELDS if f"${name}" not in template.user.template]
        if missing:
            raise DatasetError(f"{where}: 'user' does not contain {', '.join('$' + name for name in missing)}")
        template.question("put the cup away", [Segment(0, 10, "grasp")], 10.0)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{where} is no prompt template (keys system, user, segment): {error}") from error
    return template
