"""monitor.yaml: from which score on a skill counts as going wrong, what follows, and what that was calibrated on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from world2act_core.contract import describe_validation_error
from world2act_core.files import atomic_write_text, sha256_file
from world2act_core.manifest import BundleError, InnerPath, Manifest, Sha256, save_manifest

MONITOR_NAME = "monitor.yaml"
ScoreName = Literal["alignment_score", "residual_size"]
"""Fields of an action chunk that can be watched."""
AlarmSide = Literal["below", "above"]
# Documents, and imagined codes, which are another set for every initial state.
_NO_WEIGHTS = (".md", ".png", ".safetensors")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(_Model):
    """A share with its count and its 95 % Wilson interval; rate None when n is 0."""

    rate: float | None
    n: int = Field(ge=0)
    interval: tuple[float, float]


class Separation(_Model):
    """How well a score tells failures from successes: area under the ROC curve, 95 % interval, episodes of each."""

    auc: float = Field(ge=0, le=1)
    interval: tuple[float, float]
    failures: int = Field(ge=0)
    successes: int = Field(ge=0)


class CalibrationFacts(_Model):
    """Where a monitor's numbers come from.

    weights: checksums of the bundle's files that decide what the policy does; protocol: how the episodes were run;
    auc: of whole held-out episodes, auc_equal_length: comparing only as many chunks as both episodes of a pair have;
    detection, false_alarms, precision: at the threshold, on the held-out half.
    """

    created: str
    bundle_name: str
    bundle_sha256: Sha256
    weights: dict[InnerPath, Sha256] = Field(min_length=1)
    protocol: dict[str, Any]
    false_alarm_limit: float = Field(gt=0, lt=1)
    calibration_failures: int = Field(ge=0)
    calibration_successes: int = Field(ge=0)
    auc: Separation
    auc_equal_length: Separation
    detection: Rate | None = None
    false_alarms: Rate | None = None
    precision: Rate | None = None


class MonitorConfig(_Model):
    """A calibrated monitor.

    score: the field of an action chunk that is watched. Its mean over the last `window` chunks of the present skill
    whose score is known is compared with `threshold`, in the score's own unit, once `minimum_chunks` of them are
    known; the alarm is on when it is on the side `alarm_when`, and off again when it has come back by more than
    `hysteresis`. actions: an alarm restarts the skill, at most `max_retries` times each; the next one ends the
    instruction. reason: why the monitor is not enabled.
    """

    schema_version: Literal[1] = 1
    enabled: bool
    reason: str = ""
    score: ScoreName
    alarm_when: AlarmSide
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    hysteresis: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    window: int = Field(default=4, ge=1, le=1000)
    minimum_chunks: int = Field(default=2, ge=1, le=1000)
    actions: tuple[Literal["retry"], Literal["stop"]] = ("retry", "stop")
    max_retries: int = Field(default=2, ge=0, le=100)
    calibration: CalibrationFacts

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.enabled and self.threshold is None:
            raise ValueError("an enabled monitor needs a threshold")
        if not self.enabled and not self.reason:
            raise ValueError("a monitor that is not enabled needs a reason")
        return self


def read_monitor(path: Path) -> MonitorConfig:
    """Read monitor.yaml; BundleError when it is missing or a field is wrong."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BundleError(f"cannot read {path}: {error}") from error
    try:
        return MonitorConfig.model_validate(data)
    except ValidationError as error:
        raise BundleError(f"{path}: {describe_validation_error(error)}") from error


def write_monitor(path: Path, monitor: MonitorConfig) -> None:
    """Write monitor.yaml, whole or not at all."""
    text = yaml.safe_dump(monitor.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    atomic_write_text(path, text)


def weights_of(files: Mapping[str, str]) -> dict[str, str]:
    """The part of a manifest's `files` that decides what the policy does, graphs and contracts."""
    return {name: digest for name, digest in files.items() if name != MONITOR_NAME and not name.endswith(_NO_WEIGHTS)}


def monitor_of(folder: Path, manifest: Manifest) -> MonitorConfig | None:
    """The monitor of the bundle in `folder`, whose files fit `manifest`; None when it has none.

    Raises BundleError when it cannot be read, is not listed in the manifest, or was calibrated for other weights.
    """
    path = folder / MONITOR_NAME
    if MONITOR_NAME not in manifest.files:
        if path.exists():
            raise BundleError(
                f"bundle {folder}: {MONITOR_NAME} is there, but the manifest does not list it; put it in with "
                f"`python -m training calibrate-monitor --bundle {folder}`, or delete it"
            )
        return None
    monitor = read_monitor(path)
    _check_weights(monitor, manifest, folder)
    return monitor


def read_bundle_monitor(folder: Path, manifest: Manifest) -> MonitorConfig | None:
    """:func:`monitor_of` for who has not verified the bundle's files: the monitor's checksum is verified here."""
    if MONITOR_NAME in manifest.files:
        path = folder / MONITOR_NAME
        actual = sha256_file(path) if path.is_file() else "no file"
        if actual != manifest.files[MONITOR_NAME]:
            expected = manifest.files[MONITOR_NAME]
            raise BundleError(f"bundle {folder}: {path} was changed: expected sha256 {expected}, found {actual}")
    return monitor_of(folder, manifest)


def install_monitor(folder: Path, manifest: Manifest, monitor: MonitorConfig) -> None:
    """Put `monitor` into the bundle in `folder` and list it in its manifest; BundleError for other weights."""
    _check_weights(monitor, manifest, folder)
    write_monitor(folder / MONITOR_NAME, monitor)
    files = {**manifest.files, MONITOR_NAME: sha256_file(folder / MONITOR_NAME)}
    save_manifest(folder, manifest.model_copy(update={"files": dict(sorted(files.items()))}))


def remove_monitor(folder: Path, manifest: Manifest) -> None:
    """Take the monitor out of the bundle in `folder`."""
    files = {name: digest for name, digest in manifest.files.items() if name != MONITOR_NAME}
    save_manifest(folder, manifest.model_copy(update={"files": files}))
    (folder / MONITOR_NAME).unlink(missing_ok=True)


def weights_mismatch(calibrated: Mapping[str, str], name: str, manifest: Manifest) -> str:
    """In which files the weights that scores of bundle `name` were made with differ from `manifest`'s; "" if none."""
    present = weights_of(manifest.files)
    differing = sorted(file for file in {*present, *calibrated} if present.get(file) != calibrated.get(file))
    theirs = ", ".join(f"{file} {calibrated.get(file, 'absent')}" for file in differing)
    ours = ", ".join(f"{file} {present.get(file, 'absent')}" for file in differing)
    return f"{name} has {theirs}; {manifest.name} has {ours}" if differing else ""


def _check_weights(monitor: MonitorConfig, manifest: Manifest, folder: Path) -> None:
    facts = monitor.calibration
    mismatch = weights_mismatch(facts.weights, facts.bundle_name, manifest)
    if mismatch:
        raise BundleError(
            f"bundle {folder}: its monitor was calibrated for other weights: {mismatch}. Take it out with `python -m "
            f"training calibrate-monitor --bundle {folder} --remove`, evaluate the bundle and calibrate one of its own"
        )
