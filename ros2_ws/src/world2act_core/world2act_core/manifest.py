"""manifest.yaml of a bundle: what is inside (with checksums), where it comes from, how well it does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from world2act_core.contract import describe_validation_error
from world2act_core.files import atomic_write_text, sha256_file

ResidualChoice = Literal["auto", "on", "off"]
"""Whether a residual corrects its policy at first; auto: as the bundle's manifest says."""
MANIFEST_NAME = "manifest.yaml"
CONTRACT_NAME = "contract.yaml"


class BundleError(ValueError):
    """A bundle that must not be used; the message names the file, what was expected and what was found."""


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise ValueError(f"'{name}' must be a path inside the folder")
    return name


def _relative(name: str) -> str:
    if not name or PurePosixPath(name).is_absolute() or "\\" in name:
        raise ValueError(f"'{name}' must be a path relative to the bundle's folder, as in ../text-encoder")
    return name


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
InnerPath = Annotated[str, AfterValidator(_inside)]
RelativePath = Annotated[str, AfterValidator(_relative)]
"""May lead out of the folder: bundles share a text encoder, wherever it lies beside them."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitMetric(_Model):
    """Measured success of one skill on one split: rate in [0, 1], episodes, 95 % Wilson interval."""

    success_rate: float = Field(ge=0, le=1)
    n: int = Field(gt=0)
    interval: tuple[float, float]


class TextEncoderReference(_Model):
    """Where the shared text encoder is, relative to the bundle's folder, and the checksums of its files."""

    folder: RelativePath
    sha256: dict[InnerPath, Sha256] = Field(min_length=1)


class ResidualFiles(_Model):
    """A residual head that corrects the policy's chunks.

    graph: corrects the chunk of any policy; fused_graph: policy and residual as one graph, made for the policy graph
    with checksum `base`; contract: what the residual was trained on; imagined_codes: see world2act_core.imagined.
    steps: M, actions of a chunk that are corrected, coded and executed; code: C, entries of a code; action_adapter:
    SHA-256 of the weights that code; on_at_start: whether it corrects the policy unless somebody says otherwise.
    """

    graph: InnerPath = "residual.onnx"
    fused_graph: InnerPath | None = None
    base: Sha256 | None = None
    contract: InnerPath = "residual-contract.yaml"
    imagined_codes: InnerPath | None = None
    steps: int = Field(gt=0)
    code: int = Field(gt=0)
    action_adapter: Sha256
    on_at_start: bool = True

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that belongs to it."""
        return tuple(name for name in (self.graph, self.fused_graph, self.contract, self.imagined_codes) if name)


class Manifest(_Model):
    """What a bundle declares. files: every file beside the manifest; metrics: skill -> split -> measurement."""

    schema_version: Literal[1] = 1
    name: str
    created: str
    licence: str
    world2act_version: str
    files: dict[InnerPath, Sha256]
    policy_graph: InnerPath = "policy.onnx"
    text_encoder: TextEncoderReference
    residual: ResidualFiles | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, dict[str, SplitMetric]] = Field(default_factory=dict)

    def residual_is_on(self, choice: ResidualChoice) -> bool:
        """Whether the residual corrects the policy at first; True too for a bundle that has none."""
        if choice == "auto":
            return self.residual is None or self.residual.on_at_start
        return choice == "on"

    @model_validator(mode="after")
    def _names_what_is_needed(self) -> Self:
        needed = (CONTRACT_NAME, self.policy_graph, *(self.residual.files if self.residual else ()))
        missing = [name for name in needed if name not in self.files]
        if missing:
            raise ValueError(f"files must list {', '.join(missing)}")
        residual = self.residual
        if residual is not None and residual.fused_graph and residual.base != self.files[self.policy_graph]:
            raise ValueError(
                f"residual.fused_graph was joined with a policy of sha256 {residual.base}, {self.policy_graph} has "
                f"{self.files[self.policy_graph]}; run `python -m training export-residual` with this policy"
            )
        return self


def read_manifest(folder: str | Path) -> Manifest:
    """Read a bundle's manifest; BundleError when it is missing or a field is wrong."""
    path = Path(folder) / MANIFEST_NAME
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST_NAME}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BundleError(f"cannot read {path}: {error}") from error
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        raise BundleError(f"{path}: {describe_validation_error(error)}") from error


def save_manifest(folder: str | Path, manifest: Manifest) -> None:
    """Write `manifest` into the bundle's folder, whole or not at all (used too to add measured metrics)."""
    fields = manifest.model_dump(mode="json")
    # What is as it always was keeps the layout that older readers accept.
    if manifest.residual is None:
        del fields["residual"]
    elif manifest.residual.on_at_start:
        del fields["residual"]["on_at_start"]
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=120)
    atomic_write_text(Path(folder) / MANIFEST_NAME, text)


def write_manifest(
    folder: str | Path,
    *,
    name: str,
    created: str,
    licence: str,
    world2act_version: str,
    text_encoder_folder: str,
    training: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Mapping[str, SplitMetric]] | None = None,
    policy_graph: str = "policy.onnx",
    residual: ResidualFiles | None = None,
) -> Manifest:
    """Checksum every file of a bundle's folder and of its text encoder, and write the manifest.

    created: ISO 8601 time; text_encoder_folder: relative to `folder`; hidden files are left out.
    """
    root = Path(folder)
    encoder = root / text_encoder_folder
    if not encoder.is_dir():
        raise BundleError(f"text encoder {encoder} does not exist; export it first")
    files = {key: value for key, value in checksums(root).items() if key != MANIFEST_NAME}
    fields = {
        "name": name,
        "created": created,
        "licence": licence,
        "world2act_version": world2act_version,
        "files": files,
        "policy_graph": policy_graph,
        "text_encoder": {"folder": text_encoder_folder, "sha256": checksums(encoder)},
        "residual": residual,
        "training": dict(training or {}),
        "metrics": {skill: dict(splits) for skill, splits in (metrics or {}).items()},
    }
    try:
        manifest = Manifest.model_validate(fields)
    except ValidationError as error:
        raise BundleError(f"{root}: {describe_validation_error(error)}") from error
    save_manifest(root, manifest)
    return manifest


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under `folder` that is not hidden, by relative path, sorted."""
    return {name: sha256_file(folder / name) for name in file_names(folder)}


def file_names(folder: Path) -> list[str]:
    """Relative path of every file under `folder` that is not hidden, sorted."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [name.as_posix() for name in files if not _hidden(name)]


def verify_files(folder: Path, expected: Mapping[str, str], bundle: Path) -> None:
    """That every file of `expected` is in `folder` and has its SHA-256; BundleError naming the first that is not."""
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


def _hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)
