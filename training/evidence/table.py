"""The claims as a markdown table, and its place in a page of the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.common.disk import write_text_atomically
from training.common.errors import EvaluationError
from training.evidence.groups import GROUPS
from training.evidence.row import Row, Unit


def table(rows: Sequence[Row]) -> str:
    """One line per claim."""
    lines = ["| claim | estimate | 95 % interval | p | n | seeds | verdict |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        verdict = f"{row.verdict} ({row.note})" if row.note else row.verdict
        shown = numbers(row.unit, row.estimate, row.interval, row.p)
        cells = (row.claim, *shown, count(row.n, row.clusters), row.seeds, verdict)
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def count(n: int, clusters: int | None) -> str:
    """As "510", or "510 in 128 clusters" where not every episode has a seed of its own; "" for none."""
    return f"{n or ''}" if clusters in (None, n) else f"{n} in {clusters} clusters"


def numbers(
    unit: Unit, estimate: float | None, interval: Sequence[float] | None, p: float | None
) -> tuple[str, str, str]:
    """As "+3.1 points", "[+0.4, +5.8]", "0.027"; "not measured" and "" where there is none."""
    return (
        "not measured" if estimate is None else unit.show(estimate),
        "" if interval is None else f"[{', '.join(map(unit.number, interval))}]",
        "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}",
    )


def arms_table(arms: Mapping[str, Any]) -> str:
    """Success of every arm per group with its interval, and how long post-training took; ``arms``: as in the JSON."""
    lines = ["| arm | " + " | ".join(GROUPS) + " | trained in |", "|---|" + "---|" * (len(GROUPS) + 1)]
    for name, arm in arms.items():
        cells = [success(arm["groups"].get(group)) for group in GROUPS]
        lines.append(f"| {' | '.join((name, *cells, trained_in(arm)))} |")
    return "\n".join(lines)


def trained_in(arm: Mapping[str, Any]) -> str:
    """As "14.2 min of CPU"; wall time, where nothing else was measured, with a warning; "" for what was not trained."""
    used, taken = arm.get("training_cpu_minutes"), arm["training_minutes"]
    if used is not None:
        return f"{used:.1f} min of CPU"
    return "" if taken is None else f"{taken:.1f} min (not comparable: wall time on a shared machine)"


def success(group: Mapping[str, Any] | None) -> str:
    """As "61 [57, 65] %, n 510"; "" for a group that was not measured."""
    if group is None:
        return ""
    low, high = group["interval"]
    return f"{100 * group['success_rate']:.0f} [{100 * low:.0f}, {100 * high:.0f}] %, n {group['n']}"


def markers(name: str) -> tuple[str, str]:
    """The two lines between which a page has the table."""
    return f"<!-- evidence {name}: begin -->", f"<!-- evidence {name}: end -->"


def update_page(page: Path, name: str, text: str) -> None:
    """Replace what stands between the markers; EvaluationError when the page lacks them."""
    begin, end = markers(name)
    content = page.read_text() if page.exists() else ""
    if content.count(begin) != 1 or content.count(end) != 1 or content.index(begin) > content.index(end):
        raise EvaluationError(f"{page} needs these two lines where the table is to stand:\n{begin}\n{end}")
    before, rest = content.split(begin)
    write_text_atomically(page, f"{before}{begin}\n\n{text.strip()}\n\n{end}{rest.split(end)[1]}")
