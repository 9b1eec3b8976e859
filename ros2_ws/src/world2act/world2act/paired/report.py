"""Success with intervals, the paired comparison, and what the safety filter found in episodes that failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from world2act.paired.outcome import Outcome
from world2act_core.statistics import paired_comparison, wilson_interval

ALL = "all"


def report(outcomes: Sequence[Outcome], conditions: Sequence[str]) -> dict[str, Any]:
    """Per condition, against the first of `conditions`: figures per kind and for ALL; and what its failures had.

    Only episodes that were run under every condition count.
    """
    by_condition = {name: {o.key[1:]: o for o in outcomes if o.condition == name} for name in conditions}
    shared = [key for key in by_condition[conditions[0]] if all(key in by_condition[name] for name in conditions)]
    kinds = [*dict.fromkeys(kind for kind, _ in shared), ALL]
    result: dict[str, Any] = {}
    for name in conditions:
        mine = {key: by_condition[name][key] for key in shared}
        figures = {}
        for kind in kinds:
            keys = [key for key in shared if kind in (key[0], ALL)]
            if keys:
                base = None if name == conditions[0] else [by_condition[conditions[0]][key] for key in keys]
                figures[kind] = _figures([mine[key] for key in keys], base)
        result[name] = {"success": figures, "failures": _failures(list(mine.values()))}
    return result


def _figures(mine: Sequence[Outcome], base: Sequence[Outcome] | None) -> dict[str, Any]:
    good = sum(outcome.success for outcome in mine)
    figures: dict[str, Any] = {
        "n": len(mine), "successes": good, "rate": good / len(mine), "interval": list(wilson_interval(good, len(mine))),
        "mean_seconds": round(sum(outcome.seconds for outcome in mine) / len(mine), 2),
    }  # fmt: skip
    if base is not None:
        paired = paired_comparison([outcome.success for outcome in mine], [outcome.success for outcome in base])
        figures["against_first"] = {
            "only_this": paired.only_a, "only_first": paired.only_b, "difference": paired.difference,
            "interval": list(paired.interval), "p_value": paired.p_value,
        }  # fmt: skip
    return figures


def _failures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Findings per episode, of the failed and of the others: what stands out on the left may be a cause."""
    failed = [outcome for outcome in outcomes if not outcome.success]
    return {
        "endings": dict(Counter(outcome.ending for outcome in failed)),
        "held": sum(outcome.held_s > 0 for outcome in failed),
        "hold_reasons": dict(Counter(outcome.hold_reason for outcome in failed if outcome.hold_reason)),
        "findings_per_failed_episode": _means(failed),
        "findings_per_successful_episode": _means([outcome for outcome in outcomes if outcome.success]),
        "episodes": [asdict(outcome) for outcome in failed],
    }


def _means(outcomes: Sequence[Outcome]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for outcome in outcomes:
        total.update(outcome.findings)
    return {name: round(count / len(outcomes), 2) for name, count in sorted(total.items())}
