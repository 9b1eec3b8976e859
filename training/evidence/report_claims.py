"""Claims about what single steps reported: the world models, the adapters, the exported graph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.evidence.clusters import rate_interval
from training.evidence.measurements import Measurements
from training.evidence.row import LATENCY, NEARER, PSNR, RETRIEVAL, Row, too_few
from training.evidence.trend import paired_trend
from training.evidence.verdict import Rules, is_at_most, is_greater


@dataclass(frozen=True)
class AddedLatency:
    """The residual adds no more than a share of the base graph's latency."""

    claim: str
    file: str
    """What ``measure-latency`` left."""
    step: str
    limit: float = 0.1

    def judge(self, measured: Measurements) -> Row:
        """Ratio of medians with its bootstrap interval."""
        row = Row(self.claim, LATENCY, measured.command(self.step))
        report = measured.report(self.step, self.file)
        if report is None:
            return replace(row, note=measured.no_report(self.step, self.file))
        interval = (float(report["interval"][0]), float(report["interval"][1]))
        return replace(
            row,
            estimate=float(report["added_share"]),
            n=int(report["rounds"]),
            interval=interval,
            verdict=is_at_most(interval, self.limit),
            details={key: report[key] for key in ("milliseconds", "graphs", "threads", "machine")},
        )


@dataclass(frozen=True)
class BetterWorldModel:
    """Skill-WM comes nearer to held-out recordings than Base-WM."""

    claim: str
    file: str
    """What ``world-model-evaluate`` left."""
    step: str
    minimum: int = 30
    """Recordings that a verdict needs."""

    def judge(self, measured: Measurements) -> Row:
        """Difference of the recordings' mean PSNR, paired, with its t interval."""
        row = Row(self.claim, PSNR, measured.command(self.step))
        report = measured.report(self.step, self.file)
        if report is None or len(report["episodes"]) < 2:
            return replace(
                row, note=measured.no_report(self.step, self.file) if report is None else "fewer than two recordings"
            )
        episodes, rules = report["episodes"], Rules(self.minimum, smallest=0.0)
        result = paired_trend([[float(e[f"psnr_{side}"]) for e in episodes] for side in ("base", "skill")])
        seeds = [int(e["seed"]) for e in episodes]
        unequal = "" if report["budget_clips"]["equal"] else f"unequal budgets: {report['budget_clips']}"
        return replace(
            row,
            estimate=result.rise,
            n=result.n,
            seeds=f"{min(seeds)}-{max(seeds)}",
            interval=result.interval,
            p=result.p_value,
            verdict="cannot tell" if unequal else is_greater(result.interval, result.p_value, result.n, rules),
            note=unequal or too_few(result.n, rules),
            details={"psnr": dict(zip(("base", "skill"), result.means)), "by_horizon": report["horizons"]},
        )


@dataclass(frozen=True)
class Retrieves:
    """Codes of held-out video find their own action chunks more often than guessing does."""

    claim: str
    file: str
    """What ``align`` left."""
    step: str

    def judge(self, measured: Measurements) -> Row:
        """Top-1 accuracy minus chance with its Wilson interval, by window: chunks of one window resemble each other."""
        row = Row(self.claim, RETRIEVAL, measured.command(self.step))
        report = measured.report(self.step, self.file)
        if report is None:
            return replace(row, note=measured.no_report(self.step, self.file))
        top1, rules = report["retrieval"]["top1"], Rules(measured.rules.minimum, smallest=0.0)
        low, high = top1["interval"]
        windows, unknown = report["retrieval"].get("by_window"), ""
        if windows:
            hits = [place < found for found, n in windows for place in range(n)]
            low, high = rate_interval(hits, np.repeat(np.arange(len(windows)), [n for _, n in windows]))
        else:
            unknown = "chunks of one window resemble each other: the true interval is wider"
        interval = (float(low - top1["chance"]), float(high - top1["chance"]))
        return replace(
            row,
            estimate=float(top1["rate"] - top1["chance"]),
            n=int(top1["n"]),
            clusters=len(windows) if windows else None,
            interval=interval,
            verdict=is_greater(interval, None, int(top1["n"]), rules),
            note=too_few(top1["n"], rules) or unknown,
            details={"retrieval": report["retrieval"]},
        )


@dataclass(frozen=True)
class Tells:
    """Chunks read out of imagined video are nearer to the expert's than those of ``other``."""

    claim: str
    other: str
    """A source of ``measure-imagination``: "average" or "base"."""
    file: str
    step: str
    minimum: int = 30
    """Clips that a verdict needs."""

    def judge(self, measured: Measurements) -> Row:
        """Mean error saved, paired by clip, with its t interval over demonstrations."""
        row = Row(self.claim, NEARER, measured.command(self.step))
        report = measured.report(self.step, self.file)
        if report is None or self.other not in report["nearer_than"]:
            return replace(
                row, note=measured.no_report(self.step, self.file) if report is None else f"{self.other} was not asked"
            )
        result, rules = report["nearer_than"][self.other], Rules(self.minimum, smallest=0.0)
        interval = (float(result["interval"][0]), float(result["interval"][1]))
        n, (first, last) = int(result["n"]), report["seeds"]
        return replace(
            row,
            estimate=float(result["by"]),
            n=n,
            clusters=result.get("demonstrations"),
            seeds=f"{first}-{last}",
            interval=interval,
            p=float(result["p"]),
            verdict=is_greater(interval, float(result["p"]), n, rules),
            note=too_few(n, rules),
            details={key: report[key] for key in ("error", "cosine", "retrieval")},
        )
