"""calibrate-monitor from its files to its files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from training.cli import main
from training.common.errors import EvaluationError
from training.export.policy import PolicyExportConfig, write_bundle_manifest
from training.monitoring.calibrate import calibrate_monitor
from training.monitoring.config import CalibrateMonitorConfig
from training.tests.synthetic_scores import says_nothing, write_evaluation
from world2act_core.manifest import read_manifest, write_manifest
from world2act_core.monitor_config import MonitorConfig, read_monitor
from world2act_core.tabletop import tabletop_contract


def config(folder: Path, **values: object) -> CalibrateMonitorConfig:
    return replace(CalibrateMonitorConfig(evaluations=(folder,), draws=300), **values)


def calibrated(folder: Path, **values: object) -> MonitorConfig:
    monitor = calibrate_monitor(config(folder, **values))
    assert monitor is not None
    return monitor


def test_a_score_that_tells_gives_a_monitor_with_its_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_evaluation(tmp_path / "evaluation")
    monitor = calibrated(folder)
    assert monitor.enabled and monitor.alarm_when == "below" and monitor.threshold is not None
    assert 0.0 < monitor.threshold < 0.5 and monitor.hysteresis > 0
    facts = monitor.calibration
    assert (facts.bundle_name, facts.bundle_sha256) == ("made-up", "4" * 64)
    assert facts.weights == {"policy.onnx": "1" * 64, "contract.yaml": "2" * 64}
    assert facts.protocol["skill_seconds"] == 20.0
    assert facts.auc.auc > 0.95 and facts.auc.interval[0] > 0.9
    assert facts.auc.failures + facts.calibration_failures == 60
    assert facts.auc.successes + facts.calibration_successes == 100
    assert facts.detection is not None and facts.detection.rate is not None and facts.detection.rate > 0.9
    assert facts.detection.n == facts.auc.failures
    out = folder / "monitor"
    assert read_monitor(out / "monitor.yaml") == monitor
    for figure in ("roc.png", "scores.png"):
        assert (out / figure).read_bytes().startswith(b"\x89PNG")
    report = json.loads((out / "calibration.json").read_text())
    assert not set(report["seeds"]["calibration"]) & set(report["seeds"]["held_out"])
    assert report["calibration"]["false_alarms"] <= 0.05
    assert report["rank_correlation"]["spearman"] > 0.6 and report["rank_correlation"]["n"] == 160
    assert 0 < report["lead_seconds"]["quartiles"][1] < 0.4 * 19
    shown = capsys.readouterr().out
    assert "enabled: alarm when the mean alignment_score" in shown and "precision" in shown


def test_the_same_command_gives_the_same_numbers(tmp_path: Path) -> None:
    folder = write_evaluation(tmp_path)
    first, again = calibrated(folder), calibrated(folder)
    keep = {"calibration": {"created"}}
    assert first.model_dump(exclude=keep) == again.model_dump(exclude=keep)


def test_a_score_that_does_not_tell_gives_a_disabled_monitor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monitor = calibrated(write_evaluation(tmp_path, says_nothing))
    assert not monitor.enabled and "does not tell failures from successes: AUC" in monitor.reason
    low, high = monitor.calibration.auc.interval
    assert low <= 0.5 <= high
    assert "DISABLED" in capsys.readouterr().out
    assert not read_monitor(tmp_path / "monitor" / "monitor.yaml").enabled


def test_a_score_that_only_counts_time_gives_a_disabled_monitor(tmp_path: Path) -> None:
    monitor = calibrated(write_evaluation(tmp_path, says_nothing, lengths=(50, 12)))
    assert monitor.calibration.auc.interval[0] > 0.5
    assert not monitor.enabled and "only because failures last longer" in monitor.reason


def test_a_score_that_is_better_in_failures_gives_a_disabled_monitor(tmp_path: Path) -> None:
    def backwards(rng: np.random.Generator, success: bool, count: int) -> np.ndarray:
        return rng.normal(0.3 if success else 0.7, 0.15, count)

    monitor = calibrated(write_evaluation(tmp_path, backwards))
    assert not monitor.enabled and "worse than chance" in monitor.reason
    # The residual's size is bad when it is large: there the same numbers tell.
    size = calibrated(tmp_path, score="residual_size")
    assert size.enabled and size.alarm_when == "above" and size.threshold is not None and 0.2 < size.threshold < 0.5


def test_unknown_scores_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_evaluation(tmp_path)
    path = folder / "evaluation.json"
    report = json.loads(path.read_text())
    for row in report["episodes"][:7]:
        row["alignment_chunks"] = None
    for row in report["episodes"][7:14]:
        row["alignment_chunks"] = [None] * len(row["alignment_chunks"])
    report["episodes"].append({**report["episodes"][0], "seed": 999, "chunk_seconds": [], "chunk_attempts": []})
    path.write_text(json.dumps(report))
    facts = calibrated(folder).calibration
    found = facts.auc.failures + facts.auc.successes + facts.calibration_failures + facts.calibration_successes
    assert found == 146 and "14 more episodes have no known score" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((6, 200), r"each half needs 10 failures and 20 successes.*6 of 206 failed: about 824 episodes.*--splits all"),
        ((0, 200), r"none of the 200 episodes failed: choose other --splits"),
        ((200, 25), r"25 of 225 succeeded: about 432 episodes are enough"),
    ],
)
def test_too_few_to_calibrate(tmp_path: Path, counts: tuple[int, int], said: str) -> None:
    folder = write_evaluation(tmp_path, failures=counts[0], successes=counts[1])
    with pytest.raises(EvaluationError, match=said):
        calibrate_monitor(config(folder))
    assert not (folder / "monitor").exists()


def test_evaluations_are_put_together_unless_they_differ(tmp_path: Path) -> None:
    first = write_evaluation(tmp_path / "a")
    more = write_evaluation(tmp_path / "b", first_seed=1000)
    both = calibrated(first, evaluations=(first, more, first), out=tmp_path / "out").calibration
    assert both.auc.failures + both.calibration_failures == 120
    other = write_evaluation(tmp_path / "c", first_seed=2000, weights="9" * 64)
    with pytest.raises(EvaluationError, match=rf"differ in weights: policy.onnx is {'1' * 64} and {'9' * 64}"):
        calibrate_monitor(config(first, evaluations=(first, other)))
    slower = write_evaluation(tmp_path / "d", first_seed=2000, skill_seconds=40.0)
    with pytest.raises(EvaluationError, match=r"differ in protocol: skill_seconds is 20.0 and 40.0"):
        calibrate_monitor(config(first, evaluations=(first, slower)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"chunk_attempts": ...},
            r"episode pick/seen/0 has no chunk_attempts; evaluate again: `python -m training eval",
        ),
        ({"alignment_chunks": ...}, "has no alignment_chunks"),
        ({"retries": 1}, r"was changed by a monitor; evaluate without one: .*--rollout.monitor off"),
        ({"ending": "stopped"}, "was changed by a monitor"),
        ({"alignment_chunks": [0.5]}, "differ in length"),
    ],
)
def test_records_that_do_not_serve(tmp_path: Path, change: dict, said: str) -> None:
    path = write_evaluation(tmp_path) / "evaluation.json"
    report = json.loads(path.read_text())
    for name, value in change.items():
        if value is ...:
            del report["episodes"][0][name]
        else:
            report["episodes"][0][name] = value
    path.write_text(json.dumps(report))
    with pytest.raises(EvaluationError, match=said):
        calibrate_monitor(config(tmp_path))


def test_files_that_do_not_serve(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"there is no .*nowhere; make it with `python -m training evaluate"):
        calibrate_monitor(config(tmp_path / "nowhere"))
    (tmp_path / "evaluation.json").write_text("{}")
    with pytest.raises(EvaluationError, match=r"evaluation\.json is not an evaluation"):
        calibrate_monitor(config(tmp_path))
    folder = write_evaluation(tmp_path, lambda rng, success, count: [float("nan")] * count)
    with pytest.raises(
        EvaluationError, match=r"none of the 160 episodes .* has an alignment score.*--score residual_size"
    ):
        calibrate_monitor(config(folder))
    with pytest.raises(EvaluationError, match="has no residual head"):
        calibrate_monitor(config(folder, score="residual_size"))
    with pytest.raises(EvaluationError, match="--false-alarms is 1.5"):
        calibrate_monitor(config(folder, false_alarms=1.5))


def make_bundle(root: Path) -> Path:
    """A bundle whose files are all there; its network is never loaded."""
    folder = root / "models" / "made-up"
    (root / "models" / "encoder").mkdir(parents=True)
    (root / "models" / "encoder" / "model.onnx").write_bytes(b"encoder")
    folder.mkdir()
    (folder / "policy.onnx").write_bytes(b"policy")
    tabletop_contract().to_yaml(folder / "contract.yaml")
    write_manifest(
        folder, name="made-up", created="2026-01-01T00:00:00Z", licence="Apache-2.0", world2act_version="0.1.0",
        text_encoder_folder="../encoder",
    )  # fmt: skip
    return folder


def test_into_a_bundle_and_out_again_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = make_bundle(tmp_path)
    folder = write_evaluation(tmp_path / "evaluation")
    command = ["calibrate-monitor", "--evaluations", str(folder), "--bundle", str(bundle), "--draws", "300"]
    assert main(command) == 1
    refused = capsys.readouterr().err
    manifest = read_manifest(bundle)
    assert "other weights" in refused and "1" * 64 in refused and manifest.files["policy.onnx"] in refused
    path = folder / "evaluation.json"
    report = json.loads(path.read_text())
    report["bundle"]["files"] = manifest.files
    path.write_text(json.dumps(report))
    assert main(command) == 0
    assert set(read_manifest(bundle).files) == {"policy.onnx", "contract.yaml", "monitor.yaml"}
    assert yaml.safe_load((bundle / "monitor.yaml").read_text())["enabled"] is True
    assert main(command) == 0, "again, over the one that is there"
    assert main(["calibrate-monitor", "--bundle", str(bundle), "--remove"]) == 0
    assert read_manifest(bundle) == manifest and not (bundle / "monitor.yaml").exists()
    assert main(command) == 0
    write_bundle_manifest(PolicyExportConfig(out=bundle, text_encoder=bundle.parent / "encoder"), {})
    assert "monitor.yaml" not in read_manifest(bundle).files and not (bundle / "monitor.yaml").exists()
    assert main(["calibrate-monitor", "--remove"]) == 1 and "--remove needs --bundle" in capsys.readouterr().err
