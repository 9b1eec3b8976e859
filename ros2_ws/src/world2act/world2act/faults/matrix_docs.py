"""`python -m world2act.faults.matrix_docs docs/evidence/faults.json docs/safety.md` puts a run's table there."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from world2act.faults.matrix import FAULTS
from world2act_core.files import atomic_write_text

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
_SUMS = ("commands", "violations", "recordings")
_WHAT = {fault.name: fault.what for fault in FAULTS}


def table(rows: list[dict[str, Any]]) -> str:
    """The results of `world2act faults --json` as a Markdown table."""
    lines = ["| fault | survived | holds after | said |", "|---|---|---|---|"]
    for row in rows:
        what = _WHAT.get(row["name"], row["name"])
        said = ", ".join(f"`{name}`" for name in row["reason"].split(", ") if name)
        survived = "yes" if row["survived"] else f"**no**: {row['problem']}"
        lines.append(f"| {what} | {survived} | {_hold(row)} | {said} |")
    survivors = sum(bool(row["survived"]) for row in rows)
    commands, violations, recordings = (sum(row[key] for row in rows) for key in _SUMS)
    last = (
        f"{survivors} of {len(rows)} survived. Of {commands} commands {violations or 'none'} left the limits. "
        f"{recordings} times a finished recording was there before a fault and had to be readable after it."
    )
    return "\n".join([*lines, "", last])


def _hold(row: dict[str, Any]) -> str:
    """How long it took to hold; nothing where the arm may go on, and holds later for other reasons or not at all."""
    limits = {fault.name: fault.limit_ms for fault in FAULTS}
    if row["hold_ms"] is None or limits.get(row["name"], 0.0) == float("inf"):
        return ""
    return f"{row['hold_ms']:.0f} ms"


def with_table(page: str, rows: list[dict[str, Any]]) -> str:
    """The page with the table between its marks. Raises ValueError when it has none."""
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page has no lines `{BEGIN}` and `{END}` to put the table between")
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", f"{BEGIN}\n{table(rows)}\n{END}", page, flags=re.DOTALL)


def main(evidence: str, page: str) -> None:
    """Write the page."""
    rows = json.loads(Path(evidence).read_text())["faults"]
    atomic_write_text(Path(page), with_table(Path(page).read_text(), rows))


if __name__ == "__main__":
    main(*sys.argv[1:3])
