"""Which demonstrations nothing is trained on: one number for the VAE, the world model, the adapters and what measures.

A demonstration is held out when its seed leaves the remainder ``holdout_every - 1`` modulo ``holdout_every``. With
another number downstream, what counts as never seen would be what an earlier model was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.common.errors import TrainingError


def holdout_of(info: Mapping[str, Any]) -> int | None:
    """``--holdout-every`` of the training that wrote a checkpoint's ``info``; None where it does not say."""
    value = info.get("config", {}).get("holdout_every")
    return None if value is None else int(value)


def check_holdout(asked: int, trained: int | None, what: str) -> None:
    """Raise TrainingError unless ``what`` was trained with the value asked for, or does not say with which.

    0 is never refused: it holds nothing out, so nothing passes for unseen.
    """
    if asked and trained is not None and asked != trained:
        raise TrainingError(
            f"--holdout-every {asked}, but {what} was trained with --holdout-every {trained}: demonstrations that were "
            f"trained on would count as held out; give --holdout-every {trained}, or train anew with {asked}"
        )
