"""``export-residual``: a post-trained residual head into a bundle, beside the policy it corrects and joined with it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import onnx

from training.common.errors import ExportError
from training.export.card import write_card
from training.export.join import join_graphs
from training.export.policy import PolicyExportConfig, export_policy, world2act_version
from training.export.residual_graph import export_residual_graph
from training.export.residual_parity import check_fused, check_residual, inputs_of
from training.post_training.frozen import module_hash
from training.post_training.load import TrainedResidual, load_residual
from world2act_core.bundle import Bundle, BundleError, load_bundle
from world2act_core.compatibility import ContractMismatch, check_compatible
from world2act_core.contract import Contract
from world2act_core.imagined import ImaginedCodesError, read_code_book
from world2act_core.manifest import CONTRACT_NAME, MANIFEST_NAME, ResidualFiles, write_manifest
from world2act_core.monitor_config import MONITOR_NAME

RESIDUAL_GRAPH = "residual.onnx"
FUSED_GRAPH = "policy-residual.onnx"
RESIDUAL_CONTRACT = "residual-contract.yaml"
IMAGINED_CODES = "imagined-codes.safetensors"


@dataclass(frozen=True)
class ResidualExportConfig:
    """Export a post-trained residual as a bundle that a robot loads."""

    run: Path = Path("runs/post-training")
    """A run of `training post-train`, or one of its checkpoints."""
    base: Path = Path("models/tabletop-nano")
    """The policy that it corrects: a bundle (whose own residual is left out), or a run of `training vla` (which is
    exported on the way)."""
    out: Path = Path("models/tabletop-nano-world2act")
    name: str = ""
    """Default: the name of --out."""
    fused: bool = True
    """Also join policy and residual in one graph, which is faster than running two."""
    imagined_codes: Path | None = None
    """A file of `training imagined-codes` to put into the bundle, for the alignment score."""
    start: Literal["on", "off"] = "on"
    """Whether it corrects the policy as soon as a robot loads the bundle, or only when somebody switches it on."""
    any_base: bool = False
    """Take a policy that the residual was not trained on."""
    cache: Path = Path("data/tabletop/cache-96")
    """Recorded pictures that the graphs are compared with torch on, if they are on this machine."""
    samples: int = 16
    """Recorded and random inputs each that the graphs are compared with torch on."""
    text_encoder: Path = Path("models/text-encoder-minilm-l6-int8")
    """Used when --base is a run; a bundle names its own."""


def export_residual(config: ResidualExportConfig) -> Path:
    """Entry point of ``python -m training export-residual``; returns the bundle's folder.

    Raises ExportError when residual and policy do not fit together, or a graph and torch disagree.
    """
    trained = load_residual(config.run)
    with tempfile.TemporaryDirectory() as folder:
        base = _open_base(config, Path(folder) / "base")
        _check_base(config, trained, base)
        files = Path(folder) / "files"
        files.mkdir()
        described = _write_files(config, trained, base, files)
        config.out.mkdir(parents=True, exist_ok=True)
        for stale in (FUSED_GRAPH, IMAGINED_CODES, MONITOR_NAME):
            (config.out / stale).unlink(missing_ok=True)
        for path in files.iterdir():
            shutil.copyfile(path, config.out / path.name)
        _write_manifest(config, trained, base, described)
    load_bundle(config.out)
    return config.out


def _open_base(config: ResidualExportConfig, scratch: Path) -> Bundle:
    """The policy as a bundle; a checkpoint is exported into ``scratch``."""
    folder = config.base
    if not (folder / MANIFEST_NAME).exists():
        export = PolicyExportConfig(
            checkpoint=folder, out=scratch, name=folder.name, text_encoder=config.text_encoder, samples=config.samples
        )
        export_policy(export)
        folder = scratch
    elif folder.resolve() == config.out.resolve():
        raise ExportError(f"--out {config.out} is the policy's own bundle; choose another folder, it is copied")
    try:
        bundle = load_bundle(folder)
    except BundleError as error:
        raise ExportError(str(error)) from error
    if bundle.manifest.residual is not None:
        print(f"{folder} has a residual of its own: the policy is taken without it")
    return bundle


def _check_base(config: ResidualExportConfig, trained: TrainedResidual, base: Bundle) -> None:
    """Raise ExportError when the residual belongs to another policy or another robot."""
    head, manifest = trained.head, base.manifest
    try:
        # Image sizes and chunk lengths may differ: the residual changes the first steps only.
        check_compatible(base.contract, head.contract, f"policy {config.base}", f"residual {config.run}")
    except ContractMismatch as error:
        raise ExportError(str(error)) from error
    if head.steps > base.contract.chunk_length:
        raise ExportError(
            f"the residual corrects {head.steps} steps, {config.base} plans chunks of {base.contract.chunk_length}"
        )
    known = {manifest.files[manifest.policy_graph], manifest.training.get("weights_sha256")}
    theirs = trained.info["frozen"]["base"]
    if theirs not in known and not config.any_base:
        raise ExportError(
            f"{config.run} was trained on a policy with hash {theirs[:12]} ({trained.info['config']['base']}), which "
            f"{config.base} is not known to be; give that one as --base, or say --any-base to put it on another policy"
        )


def _write_files(config: ResidualExportConfig, trained: TrainedResidual, base: Bundle, folder: Path) -> ResidualFiles:
    """Every file of the bundle but card and manifest, checked; returns what the manifest says of them."""
    head = trained.head
    batches = inputs_of(head, config.cache, config.samples)
    residual = folder / RESIDUAL_GRAPH
    export_residual_graph(head, residual)
    errors = {"residual": check_residual(head, residual, batches)}
    manifest = base.manifest
    policy = manifest.files[manifest.policy_graph]
    shutil.copyfile(base.graph_path, folder / "policy.onnx")
    if config.fused:
        fused = folder / FUSED_GRAPH
        onnx.save(join_graphs(onnx.load(str(base.graph_path)), onnx.load(str(residual)), head.steps), str(fused))
        errors["joined"] = check_fused(head, base.graph_path, fused, base.contract, batches)
    # Asked again after the steps that are corrected, as in post-training.
    contract: Contract = base.contract.model_copy(update={"execute_steps": head.steps})
    contract.to_yaml(folder / CONTRACT_NAME)
    head.contract.to_yaml(folder / RESIDUAL_CONTRACT)
    described = ResidualFiles(
        graph=RESIDUAL_GRAPH,
        fused_graph=FUSED_GRAPH if config.fused else None,
        base=policy if config.fused else None,
        contract=RESIDUAL_CONTRACT,
        imagined_codes=IMAGINED_CODES if config.imagined_codes else None,
        steps=head.steps,
        code=head.coder.size,
        action_adapter=module_hash(head.coder.adapter),
        on_at_start=config.start == "on",
    )
    if config.imagined_codes is not None:
        _copy_codes(config.imagined_codes, folder / IMAGINED_CODES, described)
    size = residual.stat().st_size / 2**20
    inputs = f"{config.samples} random{' and as many recorded' if len(batches) > 1 else ''} inputs"
    print(f"{config.out}: a residual of {size:.1f} MiB from {trained.folder}")
    print(f"largest difference to torch on {inputs}: {errors}")
    return described


def _copy_codes(source: Path, target: Path, residual: ResidualFiles) -> None:
    try:
        read_code_book(source).check_adapter(residual.action_adapter, residual.steps, str(source))
    except ImaginedCodesError as error:
        raise ExportError(str(error)) from error
    shutil.copyfile(source, target)


def _write_manifest(
    config: ResidualExportConfig, trained: TrainedResidual, base: Bundle, residual: ResidualFiles
) -> None:
    """Card and manifest; what was measured of the policy alone is true while the residual is off, as at the start."""
    name = config.name or config.out.resolve().name
    training = {**base.manifest.training, "residual": {**residual_facts(trained), "start": config.start}}
    was_off = base.manifest.residual is None or not base.manifest.residual.on_at_start
    metrics = base.manifest.metrics if was_off and not residual.on_at_start else {}
    write_card(config.out, name, training, metrics)
    (config.out / MANIFEST_NAME).unlink(missing_ok=True)
    write_manifest(
        config.out,
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        licence=base.manifest.licence,
        world2act_version=world2act_version(),
        text_encoder_folder=Path(os.path.relpath(base.text_encoder_path.resolve(), config.out.resolve())).as_posix(),
        training=training,
        metrics=metrics,
        residual=residual,
    )


def residual_facts(trained: TrainedResidual) -> dict[str, Any]:
    """What manifest and card say about how the residual came to be."""
    info, settings = trained.info, trained.info["config"]
    objective: Mapping[str, Any] = settings["objective"]
    return {
        "variant": settings["residual"]["variant"],
        "bound": list(settings["residual"]["bound"]),
        "parameters": sum(parameter.numel() for parameter in trained.head.trainable().values()),
        "iterations": int(info["step"]),
        "trajectories": int(settings["trajectories"]),
        "objective": f"{objective['target']}, {objective['direction']}, {objective['granularity']}",
        "seed": int(settings["seed"]),
        "base_sha256": info["frozen"]["base"],
        "action_adapter_sha256": info["frozen"]["action_adapter"],
        "world_model_sha256": info["world_model"],
        "commit": info.get("commit", ""),
    }
