"""What a calibration leaves behind: monitor.yaml, calibration.json, two figures, a table on the screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from training.common.disk import write_text_atomically
from training.common.machine import describe_machine, git_commit
from training.monitoring.calibrate import Calibrated, show_area
from training.monitoring.config import CalibrateMonitorConfig
from training.monitoring.figures import draw_roc, draw_scores
from world2act_core.monitor_config import MONITOR_NAME, Rate, write_monitor


def write_report(result: Calibrated, config: CalibrateMonitorConfig, out: Path) -> None:
    """Write everything into ``out`` and say it."""
    write_monitor(out / MONITOR_NAME, result.monitor)
    write_text_atomically(out / "calibration.json", json.dumps(report(result), indent=1))
    draw_roc(result, out / "roc.png")
    draw_scores(result, out / "scores.png")
    _print(result, config)
    print(f"wrote {out}/{MONITOR_NAME}, calibration.json, roc.png, scores.png")


def report(result: Calibrated) -> dict[str, Any]:
    """Content of calibration.json: the monitor and what does not fit into it."""
    quartiles = None if result.detection is None else result.detection.lead_quartiles()
    correlation, interval = result.rank_correlation
    return {
        "monitor": result.monitor.model_dump(mode="json"),
        "calibration": {"detection": result.choice.detection, "false_alarms": result.choice.false_alarms},
        "lead_seconds": {"quartiles": quartiles, "all": result.detection.lead_seconds if result.detection else []},
        "rank_correlation": {"spearman": correlation, "interval": interval, "n": len(result.evaluation.episodes)},
        "unscored_episodes": result.evaluation.unscored,
        "seeds": {
            "calibration": sorted({one.episode.seed for one in result.halves.calibration}),
            "held_out": sorted({one.episode.seed for one in result.halves.held_out}),
        },
        "commit": git_commit(),
        "machine": describe_machine(),
    }


def _print(result: Calibrated, config: CalibrateMonitorConfig) -> None:
    monitor, facts = result.monitor, result.monitor.calibration
    correlation, (low, high) = result.rank_correlation
    episodes = f"{facts.auc.failures} + {facts.auc.successes}"
    table = Table("on held-out seeds", "value", "n")
    table.add_row("AUC", show_area(facts.auc), episodes)
    table.add_row("AUC at equal length", show_area(facts.auc_equal_length), episodes)
    if result.detection is not None:
        table.add_row("recall: failures detected", *_cells(result.detection.detection))
        table.add_row("false alarms", *_cells(result.detection.false_alarms))
        table.add_row("precision of alarms", *_cells(result.detection.precision))
        quartiles = result.detection.lead_quartiles()
        if quartiles is not None:
            lead = "median {1:.1f}, quartiles {0:.1f} to {2:.1f}".format(*quartiles)
            table.add_row("seconds before the end", lead, str(len(result.detection.lead_seconds)))
    # Nothing is fitted for this one, so that all episodes may count.
    n = str(len(result.evaluation.episodes))
    table.add_row("Spearman (all episodes)", f"{correlation:+.3f} [{low:+.3f}, {high:+.3f}]", n)
    console = Console()
    console.print(table)
    if result.evaluation.unscored:
        console.print(f"{result.evaluation.unscored} more episodes have no known score and were left out")
    if monitor.enabled:
        detected = (
            f"{100 * result.choice.detection:.0f} % detected, {100 * result.choice.false_alarms:.1f} % false alarms"
        )
        console.print(
            f"enabled: alarm when the mean {monitor.score} of {monitor.window} chunk(s) is {monitor.alarm_when} "
            f"{monitor.threshold:.4f} ({detected} in the calibration half)"
        )
        _warn_of_false_alarms(console, result.detection.false_alarms if result.detection else None, config.false_alarms)
    else:
        console.print(f"the monitor is DISABLED: {monitor.reason}", style="yellow", markup=False)


def _warn_of_false_alarms(console: Console, rate: Rate | None, limit: float) -> None:
    if rate is not None and rate.interval[0] > limit:
        console.print(f"held-out seeds raise more false alarms than the {100 * limit:g} % asked for", style="yellow")


def _cells(rate: Rate) -> tuple[str, str]:
    if rate.rate is None:
        return "-", "0"
    low, high = rate.interval
    return f"{100 * rate.rate:.0f} % [{100 * low:.0f}, {100 * high:.0f}]", str(rate.n)
