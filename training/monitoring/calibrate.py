"""``calibrate-monitor``: from evaluated episodes to monitor.yaml, with what it is worth on held-out seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from training.common.errors import EvaluationError
from training.monitoring.config import CalibrateMonitorConfig
from training.monitoring.episodes import Evaluation, ScoredEpisode, read_evaluations
from training.monitoring.halves import Episodes, counts, require_enough, split_by_seed
from training.monitoring.held_out import Detection, detect
from training.monitoring.judgements import ALARM_SIDE, Judgements, judge_all, sign_of
from training.monitoring.separation import Interval, bootstrap_interval, separation, spearman
from training.monitoring.threshold import Choice, choose
from world2act_core.manifest import BundleError, Manifest, read_manifest
from world2act_core.monitor_config import (
    CalibrationFacts,
    MonitorConfig,
    Separation,
    install_monitor,
    remove_monitor,
    weights_mismatch,
)


@dataclass(frozen=True)
class Halves:
    """Judged episodes of both halves under the chosen window."""

    calibration: tuple[Judgements, ...]
    held_out: tuple[Judgements, ...]


@dataclass(frozen=True)
class Calibrated:
    """All that came out. rank_correlation: of an episode's mean score with success, all episodes, with its interval."""

    evaluation: Evaluation
    choice: Choice
    halves: Halves
    auc: Separation
    auc_equal_length: Separation
    detection: Detection | None
    rank_correlation: tuple[float, Interval]
    monitor: MonitorConfig


def calibrate_monitor(config: CalibrateMonitorConfig) -> MonitorConfig | None:
    """Entry point of ``python -m training calibrate-monitor``; None when a monitor was removed."""
    config.check()
    if config.remove:
        _remove(config)
        return None
    evaluation = read_evaluations(config.evaluations, config.score)
    if config.bundle is not None:
        _check_bundle(config.bundle, evaluation)
    result = calibrate(evaluation, config)
    from training.monitoring.report import write_report

    write_report(result, config, _out(config))
    if config.bundle is not None:
        install_monitor(config.bundle, read_manifest(config.bundle), result.monitor)
        print(f"{config.bundle}: the monitor is in the bundle")
    return result.monitor


def calibrate(evaluation: Evaluation, config: CalibrateMonitorConfig) -> Calibrated:
    """Choose on one half of the seeds, measure on the other; EvaluationError when there are too few episodes."""
    calibration, held_out = split_by_seed(evaluation.episodes, config.seed)
    require_enough(calibration, held_out, config)
    sign = sign_of(config.score)
    choice = choose(calibration, config.windows, config.minimum_chunks, sign, config.false_alarms)
    halves = Halves(*(judge_all(half, choice.window, config.minimum_chunks, sign) for half in (calibration, held_out)))
    failures, successes = by_success(halves.held_out)
    rng = np.random.default_rng(config.seed)
    auc = separation(failures, successes, False, config.draws, rng)
    equal_length = separation(failures, successes, True, config.draws, rng)
    detection = None if choice.limit is None else detect(failures, successes, choice.limit)
    correlation = rank_correlation(evaluation.episodes, config.draws, rng)
    reason = why_disabled(choice, auc, equal_length, config)
    facts = _facts(evaluation, config, calibration, auc, equal_length, detection)
    monitor = MonitorConfig(
        enabled=not reason,
        reason=reason,
        score=config.score,
        alarm_when=ALARM_SIDE[config.score],
        threshold=None if choice.limit is None else sign * choice.limit,
        hysteresis=choice.hysteresis,
        window=choice.window,
        minimum_chunks=config.minimum_chunks,
        max_retries=config.max_retries,
        calibration=facts,
    )
    return Calibrated(evaluation, choice, halves, auc, equal_length, detection, correlation, monitor)


def by_success(judged: Sequence[Judgements]) -> tuple[list[Judgements], list[Judgements]]:
    """(failures, successes)."""
    return [one for one in judged if not one.episode.success], [one for one in judged if one.episode.success]


def rank_correlation(episodes: Sequence[ScoredEpisode], draws: int, rng: np.random.Generator) -> tuple[float, Interval]:
    """Spearman's correlation of an episode's mean score with its success, with its interval."""
    scores = np.array([episode.mean_score for episode in episodes])
    success = np.array([episode.success for episode in episodes])
    seeds = np.array([episode.seed for episode in episodes])
    interval = bootstrap_interval(lambda picked: spearman(scores[picked], success[picked]), seeds, draws, rng)
    return spearman(scores, success), interval


def why_disabled(choice: Choice, auc: Separation, equal_length: Separation, config: CalibrateMonitorConfig) -> str:
    """Why there should be no monitor; empty when there should be one."""
    name = config.score.replace("_", " ")
    if not auc.interval[0] > 0.5:
        verdict = "is worse than chance at telling" if auc.interval[1] < 0.5 else "does not tell"
        return f"the {name} {verdict} failures from successes: AUC {show_area(auc)} on held-out seeds, 0.5 is chance"
    if not equal_length.interval[0] > 0.5:
        return (
            f"the {name} tells failures from successes only because failures last longer, which the skill's time-out "
            f"sees already: AUC {show_area(equal_length)} on held-out seeds with as many chunks of both, 0.5 is chance"
        )
    if choice.limit is None:
        allowed = f"{100 * config.false_alarms:g} %"
        return f"no threshold on the {name} detects a failure with at most {allowed} false alarms"
    return ""


def show_area(area: Separation) -> str:
    """An area with its interval."""
    return f"{area.auc:.3f} [{area.interval[0]:.3f}, {area.interval[1]:.3f}]"


def _facts(
    evaluation: Evaluation,
    config: CalibrateMonitorConfig,
    calibration: Episodes,
    auc: Separation,
    equal_length: Separation,
    detection: Detection | None,
) -> CalibrationFacts:
    failures, successes = counts(calibration)
    return CalibrationFacts(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        bundle_name=evaluation.bundle_name,
        bundle_sha256=evaluation.bundle_sha256,
        weights=evaluation.weights,
        protocol=evaluation.protocol,
        false_alarm_limit=config.false_alarms,
        calibration_failures=failures,
        calibration_successes=successes,
        auc=auc,
        auc_equal_length=equal_length,
        detection=detection.detection if detection else None,
        false_alarms=detection.false_alarms if detection else None,
        precision=detection.precision if detection else None,
    )


def _out(config: CalibrateMonitorConfig) -> Path:
    if config.out is not None:
        return config.out
    first = config.evaluations[0]
    return (first if first.is_dir() else first.parent) / "monitor"


def _check_bundle(folder: Path, evaluation: Evaluation) -> None:
    mismatch = weights_mismatch(evaluation.weights, evaluation.bundle_name, _manifest(folder))
    if mismatch:
        raise EvaluationError(
            f"--bundle {folder} has other weights than the evaluated bundle: evaluated {mismatch}; evaluate this one "
            "first"
        )


def _manifest(folder: Path) -> Manifest:
    try:
        return read_manifest(folder)
    except BundleError as error:
        raise EvaluationError(f"--bundle: {error}") from error


def _remove(config: CalibrateMonitorConfig) -> None:
    if config.bundle is None:
        raise EvaluationError("--remove needs --bundle: which bundle is the monitor to be taken out of?")
    remove_monitor(config.bundle, _manifest(config.bundle))
    print(f"{config.bundle}: no monitor")
