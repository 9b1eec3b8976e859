"""What is made of a table of samples: findings, problems, and what people are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from world2act.errors import GraphError
from world2act.soak.counts import Counts
from world2act.soak.figure import draw_figure
from world2act.soak.leftovers import Leftovers
from world2act.soak.report import analyse
from world2act.soak.result import Ending, conclusion, result, story, summary
from world2act.soak.sampler import columns
from world2act.soak.settings import Settings
from world2act.soak.table import Series

SETTINGS = Settings(7200.0)
NOTHING = Leftovers((), (), 0)


def samples(**changes: Any) -> Series:
    """Two hours of a healthy graph of one node, "policy", and of the soak itself; `changes`: column -> values, with
    "__" for the dot."""
    n = 720
    rng = np.random.default_rng(0)
    names = columns(("policy",), {"log": Path("log")})
    table = {"time_s": np.arange(n) * 10.0, **{name: np.full(n, 16.0) for name in names}}
    for name in ("policy", "soak"):
        table[f"{name}.private_dirty_mib"] = 170.0 + 0.1 * rng.normal(size=n)
    for topic, rate, gap_s in (("commands", 100.0, 0.03), ("observations", 10.0, 0.2), ("progress", 2.0, 3.0)):
        table[f"{topic}.hz"], table[f"{topic}.gap_s"] = np.full(n, rate), np.full(n, gap_s)
    for name, values in changes.items():
        column = name.replace("__", ".")
        assert column in table, column
        table[column] = np.broadcast_to(values, n).astype(float)
    return table


STEP = np.where(np.arange(720) < 400, 16.0, 17.0)
GROWING = 170.0 + np.arange(720) / 36.0
SPIKE = np.where(np.arange(720) == 30, 12.0, 0.1)


def test_a_healthy_graph() -> None:
    p99 = np.where(np.arange(720) == 700, 20.0, 16.0)
    timing = {"arm_commander__period_error_p99_ms": p99, "arm_commander__command_p50_ms": np.nan}
    found = analyse(samples(**timing), SETTINGS)
    assert found.problems == () and set(found.processes) == {"policy", "soak"}
    policy = found.processes["policy"]
    assert policy.memory.verdict == "no growth" and policy.cpu_percent == 16.0
    assert found.gaps_s == {"commands": 0.03, "observations": 0.2, "progress": 3.0}
    assert found.rates_hz == pytest.approx({"commands": 100.0, "observations": 10.0})
    assert found.timing_ms["arm_commander.period_error_p99_ms"] == {"median": 16.0, "most": 20.0}
    assert "arm_commander.command_p50_ms" not in found.timing_ms, "nobody said so"
    assert found.sizes_mib == {"log": 16.0} and found.shm_free_mib == 16.0
    json.dumps(found.to_dict())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"policy__private_dirty_mib": GROWING}, "policy: memory grows by 10.00 MiB/h, its maxima by 10.00"),
        ({"policy__threads": STEP}, "policy: threads went from 16 to 17"),
        ({"soak__fds": STEP}, "soak: fds went from 16 to 17"),
        ({"graph__processes": STEP}, "graph.processes went from 16 to 17"),
        ({"graph__shm_files": STEP}, "graph.shm_files went from 16 to 17"),
        ({"commands__gap_s": SPIKE}, "no commands for 12.00 s; at most 1 s"),
        ({"observations__gap_s": SPIKE}, "no observations for 12.00 s; at most 10 s"),
        ({"progress__gap_s": 3.0 * SPIKE}, "no progress for 36.00 s; at most 30 s"),
        ({"policy__private_dirty_mib": np.nan}, "no sample of policy"),
    ],
)
def test_each_problem_is_named(changes: dict[str, Any], problem: str) -> None:
    assert analyse(samples(**changes), SETTINGS).problems == (problem,)


def test_the_warm_up_is_not_judged_but_its_gaps_are() -> None:
    early = np.where(np.arange(720) < 60, 5.0, 0.0)
    found = analyse(samples(policy__private_dirty_mib=170.0 + 8.0 * early, policy__threads=16.0 - early), SETTINGS)
    assert found.problems == ()
    assert analyse(samples(commands__gap_s=early), SETTINGS).problems == ("no commands for 5.00 s; at most 1 s",)
    with pytest.raises(GraphError, match="warm-up of 9000 s"):
        analyse(samples(), Settings(10000.0, warm_up_s=9000.0))


def test_one_that_ended_within_its_warm_up_has_a_shorter_one() -> None:
    assert SETTINGS.ended_after(700.0) == SETTINGS
    assert SETTINGS.ended_after(100.0).warm_up_s == pytest.approx(20.0)


def ending(**changes: Any) -> Ending:
    """Of a soak without a fault."""
    values: dict[str, Any] = {"seconds": 7200.0, "interrupted": False, "problem": "", "leftovers": NOTHING}
    return Ending(**{**values, "counts": Counts(instructions=500, succeeded=450).to_dict(), **changes})


def failed_steps() -> dict[str, Any]:
    """Counts with two problems."""
    counts = Counts()
    for seed in (4, 5):
        counts.problem(f"pick, seed {seed}: refused")
    return counts.to_dict()


def test_what_people_are_told(tmp_path: Path) -> None:
    found = result(ending(), samples(), SETTINGS, "somewhere/my-bundle")
    assert found["problems"] == [] and found["bundle"] == "my-bundle"
    assert conclusion(found) == ["no growth, no leak, no stall, nothing left"]
    assert story(found)[0].startswith("500 instructions: 450 done") and "failed: none" in story(found)[0]
    console = Console(width=120, record=True)
    console.print(summary(found))
    text = console.export_text()
    assert "policy" in text and "no growth" in text and "16 to 16" in text
    draw_figure(tmp_path / "new" / "soak.png", samples(), SETTINGS.warm_up_s)
    assert (tmp_path / "new" / "soak.png").read_bytes().startswith(b"\x89PNG")


def test_a_short_one_does_not_claim_what_it_cannot_know() -> None:
    short = {name: values[:60] for name, values in samples().items()}
    found = result(ending(seconds=600.0), short, Settings(600.0, warm_up_s=60.0), "b")
    assert found["problems"] == [] and "too short" in conclusion(found)[0]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"problem": "gave up: vla_policy was lost"}, "gave up: vla_policy was lost"),
        ({"counts": failed_steps()}, "2 steps went wrong; the newest: pick, seed 5: refused"),
        ({"counts": Counts(instructions=10).to_dict()}, "none of 10 instructions was carried out"),
        ({"leftovers": Leftovers((4711,), (), 0)}, "processes left after the end: 4711"),
        ({"leftovers": Leftovers((), ("/dev/shm/fastdds_1",), 0)}, "left after the end: /dev/shm/fastdds_1"),
        ({"leftovers": Leftovers((), (), 3)}, "3 threads left"),
    ],
)
def test_an_end_that_was_none(changes: dict[str, Any], problem: str) -> None:
    found = result(ending(**changes), samples(), SETTINGS, "b")
    assert len(found["problems"]) == 1 and problem in found["problems"][0]
    assert conclusion(found) == found["problems"]


def test_a_lost_node_is_a_problem() -> None:
    counts = Counts()
    counts.restarts["vla_policy"] += 2
    found = result(ending(counts=counts.to_dict()), samples(), SETTINGS, "b")
    assert found["problems"] == ["vla_policy was lost and started again 2 times"]
