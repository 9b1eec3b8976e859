"""What an earlier file of evidence says of claims that were not measured this time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.common.errors import EvaluationError
from training.evidence.row import Row, row_from_json

SOURCE = ("commit", "machine")
POLICY = "base policy"
"""In the source of a row that was measured in another run: the first digits of the weights that its arms begin with."""


def read_earlier(path: Path, option: str = "--keep") -> dict[str, Any]:
    """A file of evidence; EvaluationError, which names the `option` that asked for it, when there is none."""
    try:
        report: dict[str, Any] = json.loads(path.read_text())
        missing = {"preset", "protocol", "rules", "arms", "claims", *SOURCE} - report.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise EvaluationError(f"{option}: cannot read {path}: {error}; leave {option} out to write it anew") from error
    if missing:
        raise EvaluationError(
            f"{option}: {path} lacks {', '.join(sorted(missing))}; leave {option} out to write it anew"
        )
    return report


def check_fits(earlier: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """Raise EvaluationError unless the rows of both reports may stand in one table.

    They must be judged by the same rules, and arms that both have must have the same weights and protocol: a difference
    to a base policy that was trained anew is not a difference to the one in the other rows.
    """
    problems = [f"the {name}" for name in ("preset", "rules") if earlier[name] != now[name]]
    if earlier["arms"] and now["arms"] and earlier["protocol"] != now["protocol"]:
        problems.append("the protocol of the episodes")
    shared = earlier["arms"].keys() & now["arms"].keys()
    problems += [
        f"the weights of {name}"
        for name in sorted(shared)
        if earlier["arms"][name]["weights"] != now["arms"][name]["weights"]
    ]
    if problems:
        raise EvaluationError(
            f"--keep: other in this run than in {path}: {', '.join(problems)}; give another --out, or leave --keep out "
            "to write it anew from this run alone"
        )


def with_kept(rows: Sequence[Row], earlier: Mapping[str, Any]) -> list[Row]:
    """``rows``, with the earlier one in place of each that was not measured; it says where it is from."""
    known = {claim["claim"]: claim for claim in earlier["claims"] if claim["estimate"] is not None}
    here = {name: str(earlier[name]) for name in SOURCE}
    return [
        replace(row_from_json(known[row.claim]), source=known[row.claim].get("source") or here)
        if row.estimate is None and row.claim in known
        else row
        for row in rows
    ]


def kept_arms(arms: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Every arm of both, by name."""
    return dict(sorted({**earlier["arms"], **arms}.items()))


def sources(rows: Sequence[Row]) -> str:
    """In words, which rows are from an earlier file; "" for none. Rows that begin with another policy are not meant."""
    measured = [row for row in rows if row.estimate is not None and POLICY not in row.source]
    places = dict.fromkeys((row.source["commit"], row.source["machine"]) for row in measured if row.source)
    if not places:
        return ""
    new = [row.claim for row in measured if not row.source]
    earlier = "; ".join(f"commit {commit}, {machine}" for commit, machine in places)
    if not new:
        return f"Measured at {earlier}."
    return f"Measured this time: {'; '.join(new)}. The other rows and arms are from before ({earlier})."
