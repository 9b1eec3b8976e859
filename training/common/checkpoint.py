"""Checkpoints without pickle: tensors in safetensors, everything else in JSON, replaced as a whole.

A checkpoint is a folder ``step-NNNNNNNN``; ``checkpoint.json`` inside is written last. The newest two are kept.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from training.common.disk import naming_full_disk
from training.common.errors import CheckpointError

INFO = "checkpoint.json"


def save_checkpoint(
    root: Path, step: int, tensors: dict[str, dict[str, torch.Tensor]], info: dict[str, Any], keep: int = 2
) -> Path:
    """Write groups of tensors (one safetensors file each) and ``info`` for ``step`` under ``root``."""
    folder = root / f"step-{step:08d}"
    temporary = root / f".{folder.name}.tmp"
    with naming_full_disk(folder):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, group in tensors.items():
            save_file({key: value.contiguous() for key, value in group.items()}, temporary / f"{name}.safetensors")
        (temporary / INFO).write_text(json.dumps({**info, "step": step}, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    for old in checkpoints(root)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def keep_copy(checkpoint: Path, root: Path) -> Path:
    """Copy a checkpoint without its optimiser into ``root``, where nothing replaces it."""
    folder = root / checkpoint.name
    temporary = root / f".{checkpoint.name}.tmp"
    with naming_full_disk(folder):
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(checkpoint, temporary, ignore=shutil.ignore_patterns("optimiser*"))
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    return folder


def checkpoints(root: Path) -> list[Path]:
    """Whole checkpoints under ``root``, oldest first."""
    return sorted(path.parent for path in root.glob(f"step-*/{INFO}"))


def latest_checkpoint(root: Path) -> Path:
    """The newest checkpoint under ``root``, or ``root`` itself when it is one; CheckpointError when there is none."""
    if (root / INFO).exists():
        return root
    found = checkpoints(root)
    if not found:
        raise CheckpointError(f"{root} holds no checkpoint (a folder step-* with {INFO}); train first")
    return found[-1]


def read_info(folder: Path) -> dict[str, Any]:
    """The JSON part of a checkpoint."""
    try:
        info: dict[str, Any] = json.loads((folder / INFO).read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read checkpoint {folder / INFO}: {error}") from error
    return info


def read_tensors(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """One group of tensors of a checkpoint; CheckpointError when it is missing or truncated."""
    path = folder / f"{name}.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read {path}: {error}; delete that checkpoint to use the one before") from error
