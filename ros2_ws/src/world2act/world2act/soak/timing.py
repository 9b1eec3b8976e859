"""How punctual arm_commander is and what its safety filter costs, as it says on /diagnostics."""

from __future__ import annotations

from typing import Final

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from world2act.soak.table import Series

NODE: Final = "arm_commander"
STAGES: Final = ("period error", "safety filter", "safety filter, processor time", "command")
SHARES: Final = ("p50", "p99")
TIMING: Final = {
    f"{stage} {share} [ms]": f"{NODE}.{stage.replace(',', '').replace(' ', '_')}_{share}_ms"
    for stage in STAGES
    for share in SHARES
}
"""Value on /diagnostics -> column of the table. Each is of the last 4096 periods."""


def read_timing(message: DiagnosticArray) -> dict[str, float]:
    """Column -> ms, of what arm_commander says in a message; empty when it is another node's."""
    return {
        TIMING[item.key]: float(item.value)
        for status in message.status
        if status.name.rsplit("/", 1)[-1] == NODE
        for item in status.values
        if item.key in TIMING
    }


def summarise(samples: Series) -> dict[str, dict[str, float]]:
    """Column -> {"median": .., "most": ..} over the samples [ms]; columns without a value are left out."""
    there = {column: samples[column][np.isfinite(samples[column])] for column in TIMING.values()}
    return {
        column: {"median": float(np.median(values)), "most": float(np.max(values))}
        for column, values in there.items()
        if len(values)
    }
