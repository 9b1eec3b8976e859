"""Replay of a whole recording: the parity test between what was recorded and live inference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from world2act.errors import GraphError
from world2act.graph import ParameterValue
from world2act.replay.compare import Comparison
from world2act.replay.policy_process import PolicyProcess
from world2act.replay.steps import LIVE, ReplaySteps
from world2act_core.bundle import BundleError, load_bundle
from world2act_core.manifest import read_manifest
from world2act_core.recording.layout import RecordingError
from world2act_core.recording.reader import Recording

START_PARAMETERS = ("provider", "threads", "residual_graph", "imagined_codes", *LIVE)
Progress = Callable[[Comparison], None]


def open_recording(path: Path) -> Recording:
    """The recording at `path`. Raises GraphError."""
    try:
        return Recording(path)
    except RecordingError as error:
        raise GraphError(str(error)) from error


def check_same_bundle(recording: Recording, bundle: Path) -> None:
    """Raise GraphError naming both hashes unless `bundle` is what the recording was made with."""
    try:
        loaded = load_bundle(bundle)
    except (BundleError, ValueError, OSError) as error:
        raise GraphError(f"--bundle {bundle}: {error}") from error
    if loaded.sha256 != recording.header.bundle_sha256:
        raise GraphError(
            f"{recording.path} was recorded with bundle {recording.header.bundle_name}, sha256 "
            f"{recording.header.bundle_sha256}; {bundle} is {loaded.manifest.name}, sha256 {loaded.sha256}: only the "
            f"same bundle can give the same chunks"
        )


def replay(
    recording: Recording, bundle: Path, folder: Path, provider: str = "", progress: Progress = lambda so_far: None
) -> Comparison:
    """Give every recorded observation to a vla_policy and compare its chunks; `folder` gets its log.

    provider: another engine than the recorded one; "": the recorded one. Raises GraphError.
    """
    check_same_bundle(recording, bundle)
    comparison = Comparison(settings_known=bool(recording.policy))
    steps = ReplaySteps(recording)
    with PolicyProcess(start_parameters(recording, bundle, provider), folder) as policy:
        for step in steps:
            comparison.add(step.chunk, policy.infer(step))
            progress(comparison)
    comparison.unmatched = steps.unmatched
    return comparison


def start_parameters(recording: Recording, bundle: Path, provider: str = "") -> dict[str, ParameterValue]:
    """How vla_policy is set at first: as recorded, otherwise as a graph with this bundle sets it if nobody says more.

    Raises GraphError when imagined codes are missing.
    """
    parameters: dict[str, ParameterValue] = {
        name: json.loads(recording.policy[name]) for name in START_PARAMETERS if name in recording.policy
    }
    if not recording.policy:
        parameters["residual"] = read_manifest(bundle).residual_is_on("auto")
    codes = str(parameters.get("imagined_codes", ""))
    if codes and not Path(codes).is_file():
        raise GraphError(f"the imagined codes {codes} that it was recorded with are not here: scores cannot be equal")
    if provider:
        parameters["provider"] = provider
    return {**parameters, "bundle": str(bundle.absolute())}
