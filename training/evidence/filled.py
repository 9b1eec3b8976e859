"""Rows that an earlier file of evidence lacks, from a run with another base policy.

A claim is a comparison within one run, of arms that begin with the same base policy. So claims of two runs may stand in
one table, as long as each is measured in one of them as a whole and says in which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.common.errors import EvaluationError
from training.evidence.kept import POLICY, SOURCE
from training.evidence.row import Row, row_from_json
from training.evidence.world2act import BASE


def policy_of(report: Mapping[str, Any]) -> str:
    """The name of a run by its base policy; EvaluationError when that was not measured."""
    if BASE not in report["arms"]:
        raise EvaluationError("--fill: this run has not measured its base policy; run the step evaluate-base first")
    return str(report["arms"][BASE]["weights"]["sha256"])[:8]


def check_comparable(earlier: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """Raise EvaluationError unless both reports judge alike, and the same episodes, and are of two base policies."""
    problems = [f"the {name}" for name in ("preset", "rules", "protocol") if earlier[name] != now[name]]
    if problems:
        raise EvaluationError(f"--fill: other in this run than in {path}: {', '.join(problems)}; give another --out")
    if BASE in earlier["arms"] and policy_of(earlier) == policy_of(now):
        raise EvaluationError(f"--fill: this run has the base policy of {path}: use --keep, which takes what is new")


def filled(rows: Sequence[Row], now: Mapping[str, Any], earlier: Mapping[str, Any]) -> list[Row]:
    """The earlier row of every claim; where that has no number, or is of this run, the one of ``rows``.

    Each row of this run says so by its base policy.
    """
    mine = {**{name: str(now[name]) for name in SOURCE}, POLICY: policy_of(now)}
    theirs = {name: str(earlier[name]) for name in SOURCE}
    known = {claim["claim"]: claim for claim in earlier["claims"] if claim["estimate"] is not None}
    found = []
    for row in rows:
        claim = known.get(row.claim)
        source = {} if claim is None else claim.get("source") or theirs
        if claim is None or (row.estimate is not None and source.get(POLICY) == mine[POLICY]):
            found.append(row if row.estimate is None else replace(row, source=mine))
        else:
            found.append(replace(row_from_json(claim), source=source))
    return found


def is_from(row: Row, now: Mapping[str, Any]) -> bool:
    """Whether a filled row was measured in this run."""
    return row.source.get(POLICY) == policy_of(now)


def filled_arms(now: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Every arm of both, by name; those of this run with its base policy."""
    mine = {f"{name} (from {policy_of(now)})": arm for name, arm in now["arms"].items()}
    return dict(sorted({**earlier["arms"], **mine}.items()))


def other_policies(rows: Sequence[Row]) -> str:
    """In words, which rows begin with another base policy than the others; "" for none."""
    by_policy: dict[str, list[str]] = {}
    for row in rows:
        if row.estimate is not None and POLICY in row.source:
            place = f"{row.source[POLICY]} (commit {row.source['commit']}, {row.source['machine']})"
            by_policy.setdefault(place, []).append(row.claim)
    return " ".join(
        f"Measured as a whole in another run, whose arms begin with the base policy {place}: {'; '.join(claims)}."
        for place, claims in by_policy.items()
    )
