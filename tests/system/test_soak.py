"""`world2act soak` with a real graph: to its end, and ended by Ctrl-C; and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import new_domain
from world2act.cli.main import main
from world2act.soak.table import read_samples
from world2act.supervision.interrupts import EXIT_INTERRUPTED

NODES = {"sim_arm", "camera_ingest", "vla_policy", "arm_commander", "recorder", "skill_planner"}


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The command in a process of its own; what it prints is in folder/output.txt."""
    command = [sys.executable, "-m", "world2act.cli.main", "soak", "--output", str(folder), "--sample", "1", *arguments]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(new_domain())}
    folder.mkdir()
    with open(folder / "output.txt", "wb") as stream:
        return subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)


def check_nothing_is_left(found: dict[str, Any], text: str) -> None:
    """No process, no thread, no shared memory, whatever else went wrong on a busy machine."""
    assert found["leftovers"] == {"processes": [], "shm_files": [], "threads": 0}, text


@pytest.mark.long
def test_a_short_soak_to_its_end(tmp_path: Path) -> None:
    for attempt in range(2):  # a machine with other work may let the arm pause for longer than a soak accepts
        folder = tmp_path / str(attempt)
        status = start(folder, "--minutes", "0.2").wait(timeout=140)
        text = (folder / "output.txt").read_text()
        found = json.loads((folder / "soak.json").read_text())
        check_nothing_is_left(found, text)
        if status == 0:
            break
    assert status == 0 and found["problems"] == [], text
    assert set(found["processes"]) == {*NODES, "soak"} and not found["interrupted"]
    assert all(process["memory_mib"]["first_mib"] > 10 for process in found["processes"].values())
    assert all(process["memory_mib"]["verdict"] == "too short" for process in found["processes"].values())
    assert found["graph"]["graph.processes"]["most"] == len(NODES) and found["graph"]["graph.shm_files"]["most"] > 6
    assert found["rates_hz"]["commands"] > 10 and found["work"]["instructions"] >= 1
    assert 11 < found["seconds"] < 60 and "too short a time to judge" in text
    samples = read_samples(folder / "samples.csv")
    assert len(samples["time_s"]) >= 3 and (samples["sim_arm.uss_mib"] > 100).all()
    assert (folder / "soak.png").read_bytes().startswith(b"\x89PNG") and list((folder / "recordings").iterdir())


@pytest.mark.long
def test_ctrl_c_ends_it_early_with_a_report(tmp_path: Path) -> None:
    """Not before one instruction has been cancelled and one stopped by an emergency stop that was cleared."""
    folder = tmp_path / "soak"
    process = start(folder, "--hours", "2", "--record", "off")
    try:
        until_s = time.monotonic() + 150
        while instructions_given(folder / "samples.csv") < 4 and time.monotonic() < until_s:
            assert process.poll() is None, (folder / "output.txt").read_text()
            time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=60)
    finally:
        process.kill()
    text = (folder / "output.txt").read_text()
    assert (folder / "soak.json").is_file(), text
    found = json.loads((folder / "soak.json").read_text())
    check_nothing_is_left(found, text)
    assert status == EXIT_INTERRUPTED and found["interrupted"], text
    work = found["work"]
    assert work["instructions"] >= 4 and work["resets"] >= 4, text
    assert work["e_stops"] + work["failed"].get("ARM_FAULT", 0) >= 1 and work["clears"] >= 1, work
    assert set(found["processes"]) == {*NODES, "soak"} - {"recorder"}
    assert found["settings"]["warm_up_s"] == pytest.approx(0.2 * found["seconds"])


def instructions_given(path: Path) -> float:
    """As the newest sample says; 0 before the first."""
    if not path.is_file():
        return 0.0
    with open(path, newline="") as stream:
        rows = list(csv.DictReader(stream))
    return float(rows[-1]["work.instructions"] or 0) if rows else 0.0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--bundle", "nowhere"], "there is no bundle in"),
        (["--hours", "-1"], "--hours -1"),
        (["--minutes", "0.001"], "give a second to 30 days"),
        (["--minutes", "10", "--warm-up", "10"], "--warm-up 10: give minutes from 0 to less than"),
        (["--warm-up", "-1"], "--warm-up -1"),
        (["--minutes", "1", "--sample", "20"], "--sample 20: give 0.2 s to a quarter of the whole time, 15 s"),
        (["--sample", "0"], "--sample 0"),
        (["--keep", "0"], "--keep 0"),
        (["--seed", "-4"], "--seed -4"),
        (["--domain", "300"], "--domain 300 cannot be used"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "soak"
    assert main(["soak", "--output", str(out), *arguments]) == 1
    assert problem in " ".join(capsys.readouterr().err.split()) and not out.exists()
