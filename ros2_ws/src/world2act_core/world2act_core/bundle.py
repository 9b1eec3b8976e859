"""Opening a bundle: nothing of it is used before every file in it has its declared checksum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from world2act_core.compatibility import check_compatible
from world2act_core.contract import Contract, ContractError
from world2act_core.engine import OnnxEngine, ProviderName
from world2act_core.files import sha256_file
from world2act_core.imagined import CodeBook, ImaginedCodesError, read_code_book
from world2act_core.manifest import (
    CONTRACT_NAME,
    MANIFEST_NAME,
    BundleError,
    Manifest,
    file_names,
    read_manifest,
    verify_files,
)
from world2act_core.manifest import SplitMetric as SplitMetric
from world2act_core.manifest import write_manifest as write_manifest
from world2act_core.monitor_config import MONITOR_NAME, MonitorConfig, monitor_of
from world2act_core.text_encoder import TextEncoder


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. sha256: of its manifest, which holds those of all files, so it names the whole content.

    residual_contract: what its residual was trained on; None when it has no residual. monitor: None without one.
    """

    path: Path
    manifest: Manifest
    contract: Contract
    sha256: str
    residual_contract: Contract | None = None
    monitor: MonitorConfig | None = None

    @property
    def graph_path(self) -> Path:
        """The policy's ONNX file."""
        return self.path / self.manifest.policy_graph

    @property
    def text_encoder_path(self) -> Path:
        """The folder of the shared text encoder."""
        return self.path / self.manifest.text_encoder.folder

    @property
    def residual_path(self) -> Path | None:
        """The residual by itself, an ONNX file."""
        return self.path / self.manifest.residual.graph if self.manifest.residual else None

    @property
    def fused_path(self) -> Path | None:
        """Policy and residual in one ONNX file."""
        residual = self.manifest.residual
        return self.path / residual.fused_graph if residual and residual.fused_graph else None

    def code_book(self, path: str | Path | None = None) -> CodeBook | None:
        """Imagined codes from `path`, or (None) the bundle's own; None when it has none.

        Raises ImaginedCodesError when they cannot be read, belong to another action adapter than the residual's, or the
        bundle has no residual to code what is executed.
        """
        residual = self.manifest.residual
        if path is None and residual is not None and residual.imagined_codes:
            path = self.path / residual.imagined_codes
        if path is None:
            return None
        book = read_code_book(path)
        if residual is None:
            raise ImaginedCodesError(
                f"the imagined codes in {path} cannot be compared with anything: bundle {self.manifest.name} has no "
                "residual, whose action adapter codes what is executed; give a bundle of `training export-residual`"
            )
        book.check_adapter(residual.action_adapter, residual.steps, str(path))
        return book

    def engine(
        self, provider: ProviderName = "cpu", threads: int = 1, batch: int | None = None, fused: bool = False
    ) -> OnnxEngine:
        """The policy's graph, loaded, for one batch size or (None) any; EngineError when the provider is missing.

        fused: the graph with the residual in it, which the bundle must have.
        """
        path = (self.fused_path if fused else None) or self.graph_path
        return OnnxEngine(path, provider=provider, threads=threads, batch=batch)

    def text_encoder(self, threads: int = 1) -> TextEncoder:
        """The text encoder, loaded; BundleError when it is not the one that the contract names."""
        encoder = TextEncoder(self.text_encoder_path, threads=threads)
        if encoder.spec != self.contract.text_encoder:
            raise BundleError(
                f"{self.path}: the contract names text encoder {self.contract.text_encoder}, "
                f"{self.text_encoder_path} holds {encoder.spec}"
            )
        return encoder


def load_bundle(path: str | Path, expected: Contract | None = None, expected_name: str = "this robot") -> Bundle:
    """Open and verify the bundle in folder `path`.

    expected: the contract of the robot or world it is for. Raises BundleError (missing, changed or undeclared file,
    unreadable manifest, contract or monitor, monitor of other weights) or ContractMismatch (the bundle was made for
    another robot, other cameras, ...).
    """
    root = Path(path)
    manifest = read_manifest(root)
    _verify(root, manifest.files, root)
    _verify(root / manifest.text_encoder.folder, manifest.text_encoder.sha256, root)
    try:
        contract = Contract.from_yaml(root / CONTRACT_NAME)
    except ContractError as error:
        raise BundleError(f"bundle {root}: {error}") from error
    if expected is not None:
        check_compatible(expected, contract, expected_name, f"bundle {manifest.name}")
    residual = None if manifest.residual is None else _residual_contract(root, manifest, contract)
    return Bundle(root, manifest, contract, sha256_file(root / MANIFEST_NAME), residual, monitor_of(root, manifest))


def _residual_contract(root: Path, manifest: Manifest, contract: Contract) -> Contract:
    """The residual's contract; BundleError when it does not fit the policy's."""
    assert manifest.residual is not None
    try:
        residual = Contract.from_yaml(root / manifest.residual.contract)
        # Image sizes and chunk lengths may differ: the residual changes the first steps only.
        check_compatible(contract, residual, f"the policy of bundle {manifest.name}", "its residual")
    except ContractError as error:
        raise BundleError(f"bundle {root}: {error}") from error
    if manifest.residual.steps > contract.chunk_length:
        raise BundleError(
            f"bundle {root}: the residual corrects {manifest.residual.steps} steps, the policy's chunks have "
            f"{contract.chunk_length}; use a residual with shorter chunks"
        )
    return residual


def _verify(folder: Path, expected: Mapping[str, str], bundle: Path) -> None:
    """That the folder holds exactly these files, each with its checksum."""
    verify_files(folder, expected, bundle)
    # A graph may name further files to read its weights from: one that nobody vouches for must not be there.
    known = {MANIFEST_NAME, MONITOR_NAME, *expected}  # a monitor that is not declared has an error of its own
    undeclared = [name for name in file_names(folder) if name not in known]
    if undeclared:
        raise BundleError(
            f"bundle {bundle}: {folder / undeclared[0]} is not in the manifest, so nothing says that it belongs there; "
            f"take it out, or export the bundle again if it does"
        )
