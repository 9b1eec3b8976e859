"""Imagined codes: for each initial state, what a world model expects of every action chunk, coded by the video adapter.

A safetensors file. One tensor per initial state, by its name ("place/seen/2000001"; see :func:`start_name`): float32
[P, L, C] with P parts (skills in order, or one: the whole episode), L chunks per part and C entries of a code. Its
metadata: `format`, `version`; `steps`: how many actions a chunk has; `prompts`: JSON of name -> one prompt per part;
`whole_episode`: "true" when the one part is the episode; `action_adapter`, `video_adapter`: SHA-256 of the pair whose
codes are compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from world2act_core.files import atomic_write_bytes
from world2act_core.types import FloatArray

FORMAT = "world2act-imagined-codes"
VERSION = "1"


class ImaginedCodesError(ValueError):
    """A file of imagined codes that cannot be used; the message names it, what is wrong and what to do."""


@dataclass(frozen=True, eq=False)
class ImaginedStart:
    """What was imagined from one initial state. codes: float32 [P, L, C]; prompts: P sentences."""

    prompts: tuple[str, ...]
    codes: FloatArray


@dataclass(frozen=True, eq=False)
class CodeBook:
    """Imagined codes by the initial state's name; see the module for what the fields mean."""

    steps: int
    action_adapter: str
    video_adapter: str
    whole_episode: bool
    starts: Mapping[str, ImaginedStart]

    @property
    def size(self) -> int:
        """Entries of a code, C (0 when the book is empty)."""
        return next((int(start.codes.shape[2]) for start in self.starts.values()), 0)

    def find(self, name: str) -> ImaginedStart | None:
        """What was imagined from the initial state called `name`; "": from the only one there is. None: nothing."""
        if name:
            return self.starts.get(name)
        return next(iter(self.starts.values())) if len(self.starts) == 1 else None

    def check_adapter(self, action_adapter: str, steps: int, source: str) -> None:
        """Raise ImaginedCodesError unless executed chunks are coded by the adapter that belongs to these codes."""
        ours = f"adapter {self.action_adapter[:12]} with chunks of {self.steps}"
        theirs = f"adapter {action_adapter[:12]} with chunks of {steps}"
        if (self.action_adapter, self.steps) != (action_adapter, steps):
            raise ImaginedCodesError(
                f"the imagined codes in {source} belong to action {ours}, the residual codes with action {theirs}; "
                "export both with the adapters of one `training align`"
            )


def start_name(kind: str, split: str, seed: int) -> str:
    """Name of an initial state of the simulator."""
    return f"{kind}/{split}/{seed}"


def write_code_book(path: Path, book: CodeBook) -> None:
    """Write the codes, whole or not at all."""
    from safetensors.numpy import save

    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "steps": str(book.steps),
        "whole_episode": json.dumps(book.whole_episode),
        "action_adapter": book.action_adapter,
        "video_adapter": book.video_adapter,
        "prompts": json.dumps({name: start.prompts for name, start in book.starts.items()}),
    }
    tensors = {name: np.ascontiguousarray(start.codes, np.float32) for name, start in book.starts.items()}
    atomic_write_bytes(path, save(tensors, metadata))


def read_code_book(path: str | Path) -> CodeBook:
    """Read a file of imagined codes; ImaginedCodesError when it is missing, damaged or something else."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            codes = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise ImaginedCodesError(
            f"cannot read imagined codes from {path}: {error}; make them with `python -m training imagined-codes`"
        ) from error
    if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
        found = f"{metadata.get('format')!r} version {metadata.get('version')!r}"
        raise ImaginedCodesError(f"{path} holds {found}, not {FORMAT!r} version {VERSION!r}; make it again")
    try:
        prompts = {name: tuple(texts) for name, texts in json.loads(metadata["prompts"]).items()}
        starts = {name: ImaginedStart(prompts[name], value) for name, value in codes.items()}
        book = CodeBook(
            steps=int(metadata["steps"]),
            action_adapter=metadata["action_adapter"],
            video_adapter=metadata["video_adapter"],
            whole_episode=bool(json.loads(metadata["whole_episode"])),
            starts=starts,
        )
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise ImaginedCodesError(f"{path}: its metadata is damaged ({error!r}); make it again") from error
    for name, start in book.starts.items():
        if start.codes.shape[::2] != (len(start.prompts), book.size) or not np.isfinite(start.codes).all():
            raise ImaginedCodesError(
                f"{path}: codes of '{name}' must be finite [{len(start.prompts)}, chunks, {book.size}], "
                f"got shape {list(start.codes.shape)}; make it again"
            )
    return book
