"""`world2act replay`: the same observations through the policy again, and the same chunks come out."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from world2act.cli.options import check_bundle, check_domain
from world2act.graph import DEFAULT_BUNDLE
from world2act.replay.compare import Comparison
from world2act.replay.run import open_recording, replay
from world2act.supervision.session import prepare_environment
from world2act_core.files import atomic_write_text
from world2act_core.recording.reader import Recording


@dataclass(frozen=True)
class Replay:
    """Give recorded observations to the policy again and compare its chunks with the recorded ones, bit for bit."""

    file: tyro.conf.Positional[Path]
    """A recording (*.mcap)."""
    bundle: Path = Path(DEFAULT_BUNDLE)
    """Folder of the policy bundle; it must be the one that was recorded with."""
    provider: Literal["recorded", "auto", "cpu", "cuda", "tensorrt"] = "recorded"
    """What runs the network. Only the engine that was recorded with gives equal bits."""
    domain: int | None = None
    """ROS domain. Default: ROS_DOMAIN_ID, or 0. A graph that runs there is not disturbed."""
    json: Path | None = None
    """File for the result."""

    def run(self) -> int:
        """Returns the exit status: 1 unless every chunk is equal."""
        prepare_environment(check_domain(self.domain))
        console = Console()
        bundle = Path(check_bundle(self.bundle))
        recording = open_recording(self.file)
        provider = "" if self.provider == "recorded" else self.provider
        with tempfile.TemporaryDirectory(prefix="world2act-replay-") as folder, console.status("starting") as status:
            comparison = replay(
                recording, bundle, Path(folder), provider,
                lambda so_far: status.update(f"{so_far.chunks} chunks, {so_far.equal} equal"),
            )  # fmt: skip
        for line in report_lines(comparison):
            console.print(line, highlight=False, markup=False)
        if self.json is not None:
            atomic_write_text(self.json, json.dumps(report(recording, comparison), indent=2) + "\n")
        return 0 if comparison.all_equal else 1


def report_lines(comparison: Comparison) -> list[str]:
    """What to tell people."""
    lines = [f"{comparison.equal} of {comparison.chunks} chunks are equal bit for bit"]
    if not comparison.settings_known:
        lines.append(
            "warning: the recording does not say how vla_policy was set (its recorder had no answer); taken as a graph "
            "sets it that is only given this bundle: if residual, provider or imagined codes were others, chunks differ"
        )
    if comparison.unmatched:
        lines.append(f"{comparison.unmatched} more could not be replayed: their observation or skill was not recorded")
    if comparison.differing:
        fields = ", ".join(f"{name} in {count}" for name, count in comparison.differing.items())
        lines.append(f"they differ in: {fields}; the first is chunk {comparison.first_difference}")
        lines.append(f"largest difference of an action: {comparison.largest_action_difference:.3g} (robot units)")
    return lines


def report(recording: Recording, comparison: Comparison) -> dict[str, object]:
    """The same as values."""
    header = recording.header
    return {
        "recording": str(recording.path), "instruction": recording.instruction, "bundle": header.bundle_name,
        "bundle_sha256": header.bundle_sha256, **asdict(comparison), "all_equal": comparison.all_equal,
    }  # fmt: skip
