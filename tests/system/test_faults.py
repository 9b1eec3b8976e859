"""The short fault matrix against the real graph, and how a result is judged."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String

from tests.system.conftest import new_domain
from tests.system.light_node import light_graph
from world2act import topics
from world2act.cli.faults import Faults, with_timeouts
from world2act.commander.thresholds import default_numbers
from world2act.errors import GraphError
from world2act.faults.bench import Bench
from world2act.faults.fault import Fault, Result
from world2act.faults.language_model import LanguageModel
from world2act.faults.matrix import FAULTS
from world2act.faults.matrix_docs import table, with_table
from world2act.faults.run import _problem, run_fault
from world2act.graph import GraphOptions, build_graph
from world2act.health import DEGRADED, Condition, diagnostics_message
from world2act.simulation.referee_report import MotionMeter, referee_report
from world2act.supervision.session import Session
from world2act.supervision.supervisor import Supervisor
from world2act_core.recording.layout import Header, Outcome
from world2act_core.recording.writer import RecordingWriter
from world2act_core.robot.find import find_profile
from world2act_core.robot.referee import CommandReferee


def _make_faults(out: Path, *options: str) -> tuple[dict[str, dict[str, Any]], str]:
    """Rows by their names, and what was printed."""
    command = [sys.executable, "-m", "world2act.cli.main", "faults", *options, "--json", str(out)]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(new_domain())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=270, check=False)
    rows = {row["name"]: row for row in json.loads(out.read_text())["faults"]}
    assert done.returncode == int(not all(row["survived"] for row in rows.values())), done.stdout + done.stderr
    return rows, done.stdout


@pytest.mark.timeout(600)
def test_the_short_matrix_is_survived(tmp_path: Path) -> None:
    # For a machine of any speed with other work: the arm moves only where nobody is kept waiting for longer than the
    # graph's timeouts, so these are longer here, and what comes after them may take its time as well. What is judged as
    # strictly as ever: no command leaves the limits, the reason has its name, no episode is lost, the arm moves again.
    # The time limits themselves are checked by the whole matrix, on a machine without other work (docs/safety.md).
    patience = ("--timeouts", "3", "--patience", "6")
    rows, told = _make_faults(tmp_path / "faults.json", "--short", *patience)
    assert set(rows) == {fault.name for fault in FAULTS if fault.in_short}, told
    assert all(row["violations"] == 0 for row in rows.values()), told
    if missed := [name for name, row in rows.items() if not row["survived"]]:  # once more: busier just then?
        again, told_again = _make_faults(tmp_path / "again.json", "--only", *missed, *patience)
        rows, told = {**rows, **again}, told + told_again
    assert all(row["survived"] and row["violations"] == 0 for row in rows.values()), told
    assert "E_STOP" in rows["e-stop"]["reason"] and rows["chunk NaN"]["reason"] == "CHUNK_INVALID"
    assert not list(Path("models").glob(".tabletop-nano-*")), "the damaged copy is gone"


def test_timeouts_are_the_profiles_times_the_factor() -> None:
    graph = build_graph("sim", GraphOptions(profile="sim_panda"))
    changed = with_timeouts(graph, default_numbers(find_profile("sim_panda")), 3.0)
    commander, cameras = changed.node("arm_commander").parameters, changed.node("camera_ingest").parameters
    waits = [commander[name] for name in ("stale_observation", "stale_state", "peer_timeout")]
    assert [*waits, cameras["input_timeout"]] == pytest.approx([0.66, 0.18, 0.3, 0.3])
    assert changed.node("vla_policy") == graph.node("vla_policy")


def test_the_matrix_is_large_enough_and_every_name_is_its_own() -> None:
    assert len(FAULTS) >= 25 and len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize(
    ("limit_ms", "hold_ms", "reason", "problem"),
    [
        (150.0, 149.0, "NAMED", ""),
        (150.0, 200.0, "NAMED", "held after 200 ms"),
        (150.0, None, "NAMED", "never held"),
        (150.0, 100.0, "", "nothing was said"),
        (math.inf, None, "NAMED", ""),
    ],
)
def test_how_a_fault_is_judged(limit_ms: float, hold_ms: float | None, reason: str, problem: str) -> None:
    fault = Fault("f", "", lambda bench: None, reasons=("NAMED",), limit_ms=limit_ms)
    found = _problem(fault, limit_ms, hold_ms, reason)
    assert found.startswith(problem) or problem in found
    assert bool(found) == bool(problem)


class StillBench(Bench):
    """A bench whose graph has no arm: nothing moves, everything else is as it is."""

    def move(self, attempts: int = 4) -> None:
        """There is nothing to move."""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StillBench]:
    """A graph of a commander and a recorder, with one finished episode in the recorder's folder."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(new_domain()))
    folder = tmp_path / "recordings"
    folder.mkdir()
    writer = RecordingWriter(folder / "episode-000000.mcap", Header("episode", "tiny", "0" * 64, "", "0.1.0", 1))
    writer.finish(Outcome("the instruction ended"))
    graph = light_graph("arm_commander", "recorder").with_parameters("recorder", folder=str(folder))
    with LanguageModel() as llm, Supervisor(graph, tmp_path) as supervisor:
        supervisor.bring_up()
        yield StillBench(supervisor, 0, lambda name, text: None, llm)


class Arm(threading.Thread):
    """A referee that reports, of as many commands as it is told, until it is closed."""

    def __init__(self, positions: list[float]) -> None:
        super().__init__()
        self.limits = find_profile("sim_panda").limits
        self.referee, self.meter = CommandReferee(self.limits, 0.01), MotionMeter(self.limits)
        middle = (self.limits.position_low + self.limits.position_high) / 2.0
        for index, position in enumerate(positions):
            self.referee.see_position(0.01 * index, middle + position)
        self.closed = threading.Event()
        self.start()

    def run(self) -> None:
        """Ten times a second."""
        with Session("arm") as session:
            reports = session.node.create_publisher(String, topics.COMMAND_REFEREE, topics.reliable(1))
            while not self.closed.wait(0.1):
                text = referee_report(self.referee, 0, False, self.meter, time.time(), 0.0)
                reports.publish(String(data=text))

    def close(self) -> None:
        """Say nothing any more."""
        self.closed.set()
        self.join()


def test_what_nobody_judged_was_not_survived(bench: StillBench) -> None:
    harmless = Fault("harmless", "", lambda bench: None, limit_ms=math.inf, waits_s=0.2)
    result = run_fault(bench, harmless)
    assert not result.survived and "the arm's referee has not reported at all" in result.problem
    arm = Arm([0.0] * 10)
    result = run_fault(bench, harmless)
    assert result.survived and (result.commands, result.recordings) == (10, 1), result.problem
    result = run_fault(bench, harmless)
    assert not result.survived and "the arm was sent no command" in result.problem
    arm.close()
    result = run_fault(bench, harmless)
    assert not result.survived and "the arm's referee has not reported for " in result.problem
    jumping = Arm([0.0] * 5 + [0.5])  # an arm that was started again
    result = run_fault(bench, harmless)
    jumping.close()
    assert not result.survived and result.commands == 6 and result.violations > 0
    assert "commands outside the limits, velocity of robot0_joint1 50" in result.problem


def test_a_finished_episode_that_a_fault_loses_fails_its_row_by_name(
    bench: StillBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = Arm([0.0] * 10)
    path = bench.recordings / "episode-000000.mcap"
    result = run_fault(bench, Fault("eraser", "", lambda bench: path.unlink(), limit_ms=math.inf, waits_s=0.2))
    arm.close()
    assert not result.survived and result.recordings == 1
    assert result.problem == "episode-000000.mcap, finished before the fault, is gone: No such file or directory"
    monkeypatch.setattr("world2act.faults.bench.FRESH_S", 0.5)
    with pytest.raises(GraphError, match="no episode is finished in .*/recordings"):
        bench.finished()


@pytest.mark.long
def test_what_is_said_already_tells_nothing_of_a_fault(bench: StillBench) -> None:
    made: list[str] = []
    fault = Fault("disk full", "", lambda bench: made.append("disk full"), reasons=("DISK_FULL",), limit_ms=math.inf)
    says = bench.session.node.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, topics.reliable())
    full = diagnostics_message("/other", "active", Condition(DEGRADED, "DISK_FULL", "0 MiB are free"), {})
    says.publish(full)
    assert bench.until(lambda: "DISK_FULL" in bench.present, 10.0)
    result = run_fault(bench, fault)
    assert not made and "before the fault: DISK_FULL is said already" in result.problem
    says.publish(diagnostics_message("/other", "active", Condition(), {}))
    bench.require_unsaid(fault.reasons)


def test_the_table_has_a_line_for_each_fault_and_the_sums() -> None:
    good = Result("stop recorder", True, None, None, "RECORDER_LOST", 3400, 0, 12, 1.0, "")
    bad = Result("e-stop", False, 70.0, 200.0, "E_STOP", 600, 2, 13, 1.0, "2 commands outside the limits")
    text = table([asdict(row) for row in (good, bad)])
    assert "| SIGSTOP of the recorder, until it is found to hang | yes |  | `RECORDER_LOST` |" in text
    assert "| the emergency stop is pressed | **no**: 2 commands outside the limits | 70 ms | `E_STOP` |" in text
    assert "1 of 2 survived. Of 4000 commands 2 left the limits. 25 times a finished recording was there" in text


AGAIN = (
    "run `world2act faults --json docs/evidence/faults.json` on a machine without other work, then "
    "`python -m world2act.faults.matrix_docs docs/evidence/faults.json docs/safety.md`"
)


def test_the_page_on_safety_shows_the_run_that_is_kept() -> None:
    page, evidence = Path("docs/safety.md"), Path("docs/evidence/faults.json")
    rows = json.loads(evidence.read_text())["faults"]
    assert {row["name"] for row in rows} == {fault.name for fault in FAULTS}, AGAIN
    assert all(row.keys() == Result.__dataclass_fields__.keys() for row in rows), AGAIN
    assert page.read_text() == with_table(page.read_text(), rows), AGAIN
    assert "| the emergency stop is pressed | yes |" in table(rows)
    with pytest.raises(ValueError, match="has no lines"):
        with_table("# A page", rows)


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(GraphError, match="--only 'meteorite': there are: e-stop"):
        Faults(only=("meteorite",)).run()
    with pytest.raises(GraphError, match="--short has none of --only 'disk full', 'stop recorder': leave --short out"):
        Faults(short=True, only=("disk full", "stop recorder")).run()
    with pytest.raises(GraphError, match="--patience 0.5: give 1 to 10"):
        Faults(patience=0.5).run()
    with pytest.raises(GraphError, match="--timeouts nan: give 1 to 10"):
        Faults(timeouts=math.nan).run()
