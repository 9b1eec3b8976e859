"""One claim and what the measurements say about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from training.evidence.verdict import Interval, Rules, Verdict


@dataclass(frozen=True)
class Unit:
    """What an estimate is and how it is written."""

    name: str
    pattern: str
    factor: float = 1.0
    suffix: str = ""

    def number(self, value: float) -> str:
        """Without what it is, as "+3.1"."""
        return self.pattern.format(self.factor * value)

    def show(self, value: float) -> str:
        """As "+3.1 points"."""
        return self.number(value) + self.suffix


RATE = Unit("success rate", "{:.1f}", 100.0, " %")
DIFFERENCE = Unit("difference of success rates", "{:+.1f}", 100.0, " points")
RISE = Unit("rise of the success rate from first to last", "{:+.1f}", 100.0, " points")
RHO = Unit("rank correlation over episodes", "{:+.2f}")
RHO_CHECKPOINTS = Unit("rank correlation over n checkpoints", "{:+.2f}")
LATENCY = Unit("added share of the base's latency over n timed rounds", "{:+.1f}", 100.0, " %")
PSNR = Unit("PSNR over n recordings", "{:+.2f}", suffix=" dB")
RETRIEVAL = Unit("top-1 accuracy above chance over n chunks", "{:+.1f}", 100.0, " points")
NEARER = Unit("error of a chunk saved over n clips, in half the action's range", "{:+.1f}", 100.0, " %")
UNITS = {unit.name: unit for unit in (RATE, DIFFERENCE, RISE, RHO, RHO_CHECKPOINTS, LATENCY, PSNR, RETRIEVAL, NEARER)}


@dataclass(frozen=True)
class Row:
    """A row of evidence. interval: 95 %; n: episodes (pairs of them in a comparison) unless ``unit`` says otherwise.

    estimate, interval and p are None where they were not measured or the claim has none.
    """

    claim: str
    unit: Unit
    command: str
    """Makes what the claim needs."""
    estimate: float | None = None
    n: int = 0
    clusters: int | None = None
    """How many seeds the episodes have, or windows the chunks, or demonstrations the clips: interval and p go by these
    (None: n are all that there is, or what an old report counted)."""
    seeds: str = ""
    interval: Interval | None = None
    p: float | None = None
    verdict: Verdict = "cannot tell"
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    """Commit and machine of the file that the row was taken over from; empty for what this run measured."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file of evidence."""
        return {
            "claim": self.claim,
            "estimate": self.estimate,
            "unit": self.unit.name,
            "n": self.n,
            "clusters": self.clusters,
            "seeds": self.seeds,
            "interval": None if self.interval is None else list(self.interval),
            "p": self.p,
            "verdict": self.verdict,
            "command": self.command,
            "note": self.note,
            "details": self.details,
            **({"source": self.source} if self.source else {}),
        }


def row_from_json(content: dict[str, Any]) -> Row:
    """The row that :meth:`Row.to_json` wrote."""
    low_high = content["interval"]
    interval = None if low_high is None else (float(low_high[0]), float(low_high[1]))
    return Row(**{**content, "unit": UNITS[content["unit"]], "interval": interval})


def too_few(n: int, rules: Rules) -> str:
    """A note when a verdict cannot rest on so few."""
    return f"a verdict needs {rules.minimum}" if n < rules.minimum else ""
