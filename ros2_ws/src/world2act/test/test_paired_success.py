"""Success with and without filter and blending: a few real episodes, resumed, summed up, refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from world2act.cli.paired_success import PairedSuccess
from world2act.errors import GraphError
from world2act.paired.log import OutcomeLog
from world2act.paired.outcome import Outcome
from world2act.paired.report import report

BUNDLE = Path(__file__).resolve().parents[4] / "models/tabletop-nano"
PICK = {"kinds": ("pick",), "episodes": 1, "bundle": BUNDLE}


def outcome(condition: str, seed: int, success: bool, **facts: object) -> Outcome:
    return Outcome(condition, "pick", seed, "pick up the red cube", success, "finished", 2.0, 6, **facts)  # type: ignore[arg-type]


@pytest.mark.long
def test_the_same_episode_in_three_ways_and_again_after_an_interruption(tmp_path: Path) -> None:
    command = PairedSuccess(
        conditions=("lockstep", "stepped", "safe", "unfiltered"), output=tmp_path, json=tmp_path / "copy.json", **PICK
    )
    assert command.run() == 0
    lines = (tmp_path / "episodes.jsonl").read_text().splitlines()
    found = {line.condition: line for line in map(Outcome.from_line, lines)}
    assert list(found) == ["lockstep", "stepped", "safe", "unfiltered"]
    assert len({(line.kind, line.seed, line.instruction) for line in found.values()}) == 1
    assert all(line.success and line.ending == "finished" and line.chunks >= 4 for line in found.values())
    assert found["safe"].findings and not found["unfiltered"].findings, "only the filter finds anything"

    # An interrupted run: one whole line and half of the next.
    (tmp_path / "episodes.jsonl").write_text(lines[0] + "\n" + lines[1][:40])
    assert command.run() == 0
    assert (tmp_path / "episodes.jsonl").read_text().splitlines() == lines, "every episode is the same again"
    assert (tmp_path / "copy.json").read_text() == (tmp_path / "summary.json").read_text()
    with pytest.raises(GraphError, match=r"delay_s 0\.15, now it is 0\.3"):
        replace(command, delay=0.3).run()


def test_figures_of_pairs_worked_out_by_hand() -> None:
    """Ten pairs: seven succeed both ways, two only in lockstep, one only with the filter."""
    lockstep = [outcome("lockstep", seed, seed != 9) for seed in range(10)]
    safe = [outcome("safe", seed, seed not in (0, 1), findings={"SPEED": 4 if seed < 2 else 1}) for seed in range(10)]
    alone = outcome("lockstep", 99, False)
    found = report([*lockstep, *safe, alone], ("lockstep", "safe"))
    assert found["lockstep"]["success"]["all"]["n"] == 10, "an episode without its pair does not count"
    figures = found["safe"]["success"]["all"]
    assert (figures["successes"], figures["rate"]) == (8, 0.8)
    paired = figures["against_first"]
    assert (paired["only_first"], paired["only_this"], paired["difference"]) == (2, 1, pytest.approx(-0.1))
    # Exact McNemar of 2 and 1: twice the chance of at most one head in three throws, at most 1.
    assert paired["p_value"] == pytest.approx(1.0)
    assert paired["interval"][0] < -0.1 < paired["interval"][1]
    failures = found["safe"]["failures"]
    assert failures["findings_per_failed_episode"] == {"SPEED": 4.0}
    assert failures["findings_per_successful_episode"] == {"SPEED": 1.0}
    assert [episode["seed"] for episode in failures["episodes"]] == [0, 1]


def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    log = OutcomeLog(tmp_path, {"delay_s": 0.1})
    log.add(outcome("safe", 3, True, findings={"SPEED": 2}, held_s=0.5, hold_reason="slow"))
    again = OutcomeLog(tmp_path, {"delay_s": 0.1})
    assert list(again.outcomes.values()) == [
        outcome("safe", 3, True, findings={"SPEED": 2}, held_s=0.5, hold_reason="slow")
    ]


@pytest.mark.parametrize("line", ["{", '{"condition": "safe"}', "[1]"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    OutcomeLog(tmp_path, {})
    (tmp_path / "episodes.jsonl").write_text(line + "\n")
    with pytest.raises(GraphError, match=r"episodes\.jsonl, line 1"):
        OutcomeLog(tmp_path, {})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"episodes": 0}, "--episodes"),
        ({"first_seed": -1}, "--first-seed"),
        ({"delay": -1.0}, "--delay"),
        ({"workers": 0}, "--workers"),
        ({"conditions": ("safe", "safe")}, "--conditions safe safe"),
        ({"kinds": ()}, "--kinds"),
        ({"bundle": Path("nowhere")}, "no bundle"),
        ({"robot": "nobody"}, "--robot"),
        ({"robot": "so101"}, "arm_command"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, object], named: str) -> None:
    with pytest.raises(GraphError, match=named):
        PairedSuccess(**{**PICK, "output": tmp_path, **options}).run()  # type: ignore[arg-type]
