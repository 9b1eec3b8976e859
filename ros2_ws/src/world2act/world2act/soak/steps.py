"""What is asked of the graph, one step after the other: varied, and the same every time for the same first seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np

Disturbance = Literal["", "cancel", "e-stop"]
EVERY = 15
"""One instruction in so many is cancelled and one is stopped; no multiple of the number of kinds, so all kinds are."""
LONGEST_S = 4.0


@dataclass(frozen=True)
class Step:
    """An episode to set up and an instruction to give. after_s: when the disturbance comes, since the arm was told."""

    kind: str
    seed: int
    disturbance: Disturbance
    after_s: float


def steps(first_seed: int) -> Iterator[Step]:
    """Steps without end; the first three are an undisturbed, a cancelled and a stopped one."""
    from world2act_sim.tasks import TASK_KINDS  # only now: every `world2act` command would wait for the simulator

    for number in count():
        seed = first_seed + number
        after_s = float(np.random.default_rng([seed, 11]).uniform(1.0, LONGEST_S))
        disturbance: Disturbance = {1: "cancel", 2: "e-stop"}.get(number % EVERY, "")  # type: ignore[assignment]
        yield Step(TASK_KINDS[number % len(TASK_KINDS)], seed, disturbance, after_s)
