"""Trained adapters for whoever uses them frozen: post-training, the run-time monitor, export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.alignment.adapters import ActionAdapter, Aligner, VideoAdapter
from training.alignment.config import AdapterConfig
from training.common.action_scale import ActionScale
from training.common.checkpoint import latest_checkpoint, read_info, read_tensors
from training.common.errors import CheckpointError
from training.common.holdout import holdout_of
from world2act_core.compatibility import ContractMismatch, check_compatible
from world2act_core.contract import Contract


@dataclass(frozen=True)
class AlignmentInfo:
    """What a pair of adapters belongs to. vae: hash of the VAE; scale: robot units to the action adapter's and back."""

    folder: Path
    step: int
    contract: Contract
    vae: str
    adapters: AdapterConfig
    objective: dict[str, Any]
    scale: ActionScale
    holdout_every: int | None = None
    """As they were trained with; None where that is not known."""


def load_adapters(
    folder: Path, contract: Contract | None = None, vae: str | None = None
) -> tuple[VideoAdapter, ActionAdapter, AlignmentInfo]:
    """The adapters of a checkpoint, or of a run's newest one: on the CPU, in eval mode, frozen.

    Args:
        folder: checkpoint or run. contract: what the caller's actions and cameras are (None: do not compare).
        vae: hash of the VAE whose latents the caller has (None: do not compare).
    Raises:
        CheckpointError: nothing there, damaged, or of another contract or VAE; the message names both sides.
    """
    folder = latest_checkpoint(folder)
    info = read_info(folder)
    theirs = Contract.from_text(info["contract"], source=str(folder))
    if contract is not None:
        _check_contract(contract, theirs, folder)
    if vae is not None and vae != info["vae"]:
        raise CheckpointError(
            f"{folder} was aligned with latents of VAE {info['vae']}, the latents at hand are of VAE {vae}; codes of "
            "different VAEs mean different things: align again, or cache the latents with that VAE"
        )
    adapters = AdapterConfig(**info["adapters"])
    aligner = Aligner(adapters, theirs.action_size)
    try:
        aligner.load_state_dict(read_tensors(folder, "adapters"))
    except RuntimeError as error:
        raise CheckpointError(f"{folder}: the weights do not fit its own description: {error}") from error
    aligner.eval().requires_grad_(False)
    facts = AlignmentInfo(
        folder,
        int(info["step"]),
        theirs,
        str(info["vae"]),
        adapters,
        info["objective"],
        ActionScale(theirs),
        holdout_of(info),
    )
    return aligner.video, aligner.action, facts


def _check_contract(ours: Contract, theirs: Contract, folder: Path) -> None:
    # The adapters read neither state nor text, so these may differ.
    comparable = theirs.model_copy(update={"state": ours.state, "text_encoder": ours.text_encoder})
    try:
        check_compatible(ours, comparable, "this run", f"the adapters in {folder}")
    except ContractMismatch as error:
        raise CheckpointError(str(error)) from error
