"""Opening a bundle: nothing of it is used before every file has its declared checksum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from world2act_core.compatibility import check_compatible
from world2act_core.contract import Contract, ContractError
from world2act_core.engine import OnnxEngine, ProviderName
from world2act_core.files import sha256_file
from world2act_core.manifest import CONTRACT_NAME, MANIFEST_NAME, BundleError, Manifest, read_manifest
from world2act_core.manifest import SplitMetric as SplitMetric
from world2act_core.manifest import write_manifest as write_manifest
from world2act_core.monitor_config import MonitorConfig, monitor_of
from world2act_core.text_encoder import TextEncoder


@dataclass(frozen=True)
class Bundle:
    """A verified bundle. sha256: of its manifest, which holds those of all files, so it names the whole content.

    monitor: None when the bundle has none.
    """

    path: Path
    manifest: Manifest
    contract: Contract
    sha256: str
    monitor: MonitorConfig | None = None

    @property
    def graph_path(self) -> Path:
        """The policy's ONNX file."""
        return self.path / self.manifest.policy_graph

    @property
    def text_encoder_path(self) -> Path:
        """The folder of the shared text encoder."""
        return self.path / self.manifest.text_encoder.folder

    def engine(self, provider: ProviderName = "cpu", threads: int = 1, batch: int | None = None) -> OnnxEngine:
        """The policy's graph, loaded, for one batch size or (None) any; EngineError when the provider is missing."""
        return OnnxEngine(self.graph_path, provider=provider, threads=threads, batch=batch)

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

    expected: the contract of the robot or world it is for. Raises BundleError (missing or changed file, unreadable
    manifest, contract or monitor, monitor of other weights) or ContractMismatch (the bundle was made for another robot,
    other cameras, ...).
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
    return Bundle(root, manifest, contract, sha256_file(root / MANIFEST_NAME), monitor=monitor_of(root, manifest))


def _verify(folder: Path, expected: Mapping[str, str], bundle: Path) -> None:
    for name, digest in expected.items():
        file = folder / name
        if not file.is_file():
            raise BundleError(f"bundle {bundle}: {file} is missing; copy the bundle again")
        actual = sha256_file(file)
        if actual != digest:
            raise BundleError(
                f"bundle {bundle}: {file} was changed or damaged: expected sha256 {digest}, found {actual}; "
                f"copy the bundle again, or export it again if the change was meant"
            )
