"""monitor.yaml in a bundle: listed, verified, and only for the weights it was calibrated on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from world2act_core.bundle import load_bundle
from world2act_core.files import sha256_file
from world2act_core.manifest import BundleError, read_manifest
from world2act_core.monitor_config import (
    MONITOR_NAME,
    CalibrationFacts,
    MonitorConfig,
    Separation,
    install_monitor,
    read_bundle_monitor,
    read_monitor,
    remove_monitor,
    weights_of,
    write_monitor,
)

from .conftest import rewrite_manifest

MakeBundle = Callable[..., Path]


def monitor_for(folder: Path, **values: Any) -> MonitorConfig:
    area = Separation(auc=0.8, interval=(0.7, 0.9), failures=12, successes=30)
    facts = CalibrationFacts(
        created="2026-01-01T00:00:00+00:00", bundle_name="nano", bundle_sha256=sha256_file(folder / "manifest.yaml"),
        weights=weights_of(read_manifest(folder).files), protocol={"skill_seconds": 20.0}, false_alarm_limit=0.05,
        calibration_failures=10, calibration_successes=20, auc=area, auc_equal_length=area,
    )  # fmt: skip
    given = {"enabled": True, "score": "alignment_score", "alarm_when": "below", "threshold": 0.31} | values
    return MonitorConfig(**given, calibration=facts)


def install(folder: Path, **values: Any) -> MonitorConfig:
    monitor = monitor_for(folder, **values)
    install_monitor(folder, read_manifest(folder), monitor)
    return monitor


def test_a_bundle_brings_its_monitor(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    before = load_bundle(folder)
    assert before.monitor is None
    monitor = install(folder)
    after = load_bundle(folder)
    assert after.monitor == monitor == read_bundle_monitor(folder, after.manifest)
    assert after.manifest.files[MONITOR_NAME] == sha256_file(folder / MONITOR_NAME) and after.sha256 != before.sha256
    assert yaml.safe_load((folder / MONITOR_NAME).read_text())["actions"] == ["retry", "stop"]
    remove_monitor(folder, after.manifest)
    assert load_bundle(folder) == before and not (folder / MONITOR_NAME).exists()


def test_documents_are_no_weights(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    install(folder)
    (folder / "card.md").write_text("# measured again\n")
    (folder / "imagined-codes.safetensors").write_bytes(b"of another table")
    rewrite_manifest(folder)
    assert load_bundle(folder).monitor is not None
    assert set(weights_of(read_manifest(folder).files)) == {"policy.onnx", "contract.yaml"}


def test_a_monitor_of_other_weights_is_refused_with_both_named(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    install(folder)
    old = sha256_file(folder / "policy.onnx")
    with (folder / "policy.onnx").open("ab") as file:
        file.write(b"\x00")
    rewrite_manifest(folder)
    new = sha256_file(folder / "policy.onnx")
    for load in (load_bundle, lambda path: read_bundle_monitor(path, read_manifest(path))):
        with pytest.raises(BundleError, match="calibrated for other weights") as caught:
            load(folder)
        message = str(caught.value)
        assert f"policy.onnx {old}" in message and f"policy.onnx {new}" in message and "--remove" in message
    with pytest.raises(BundleError, match="calibrated for other weights"):
        install_monitor(folder, read_manifest(folder), read_monitor(folder / MONITOR_NAME))


def test_a_changed_or_unlisted_monitor_is_refused(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    monitor = install(folder)
    write_monitor(folder / MONITOR_NAME, monitor.model_copy(update={"threshold": -1.0}))
    with pytest.raises(BundleError, match=r"monitor\.yaml was changed"):
        load_bundle(folder)
    with pytest.raises(BundleError, match=r"monitor\.yaml was changed: expected sha256"):
        read_bundle_monitor(folder, read_manifest(folder))
    other = make_bundle(name="other")
    write_monitor(other / MONITOR_NAME, monitor)
    with pytest.raises(BundleError, match="the manifest does not list it"):
        load_bundle(other)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"threshold": None}, "an enabled monitor needs a threshold"),
        ({"enabled": False}, "needs a reason"),
        ({"threshold": float("nan")}, "threshold"),
        ({"window": 0}, "window"),
        ({"score": "mood"}, "score"),
        ({"actions": ["stop"]}, "actions"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_wrong_values_are_named(make_bundle: MakeBundle, tmp_path: Path, values: dict, said: str) -> None:
    data = monitor_for(make_bundle()).model_dump(mode="json") | values
    (tmp_path / MONITOR_NAME).write_text(yaml.safe_dump(data))
    with pytest.raises(BundleError, match=said):
        read_monitor(tmp_path / MONITOR_NAME)
