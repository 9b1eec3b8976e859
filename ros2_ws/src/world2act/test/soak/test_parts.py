"""The parts of a soak without a graph: steps, counts, gaps, samples, what processes use, what is left."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from world2act.client import Outcome
from world2act.errors import GraphError
from world2act.soak.counts import KEPT_PROBLEMS, Counts
from world2act.soak.gaps import GapMeter
from world2act.soak.meters import MIB, PROCESS_QUANTITIES, ProcessMeter, folder_size, shared_memory_files
from world2act.soak.recordings import remove_old_recordings
from world2act.soak.steps import EVERY, steps
from world2act.soak.table import SampleWriter, read_samples
from world2act.supervision.shared_memory import SHARED_MEMORY
from world2act_sim.tasks import TASK_KINDS


def test_steps_vary_and_repeat() -> None:
    found = list(islice(steps(5), 4 * EVERY))
    assert found == list(islice(steps(5), 4 * EVERY))
    assert [step.seed for step in found[:3]] == [5, 6, 7]
    assert [step.disturbance for step in found[:4]] == ["", "cancel", "e-stop", ""]
    for disturbance in ("", "cancel", "e-stop"):
        assert {step.kind for step in found if step.disturbance == disturbance} == set(TASK_KINDS)
    assert sum(step.disturbance == "e-stop" for step in found) == 4
    assert all(1.0 <= step.after_s <= 4.0 for step in found)


def test_counts() -> None:
    counts = Counts()
    counts.ended(Outcome(True, "NONE", "", 1, 1, 3.0), achieved=True)
    counts.ended(Outcome(True, "NONE", "", 1, 1, 3.0), achieved=False)
    counts.ended(Outcome(False, "ARM_FAULT", "held", 0, 1, 3.0), achieved=False)
    counts.ended(Outcome(False, "ARM_FAULT", "held", 0, 1, 3.0), achieved=True)
    found = counts.to_dict()
    assert (found["succeeded"], found["achieved"], found["failed"]) == (2, 2, {"ARM_FAULT": 2})


def test_problems_are_counted_and_only_the_newest_kept() -> None:
    counts = Counts()
    for number in range(KEPT_PROBLEMS + 5):
        counts.problem(f"problem {number}")
    assert counts.problem_count == KEPT_PROBLEMS + 5 and len(counts.problems) == KEPT_PROBLEMS
    assert counts.problems[-1] == f"problem {KEPT_PROBLEMS + 4}"


def test_rates_and_gaps_by_hand() -> None:
    meter = GapMeter(100.0)
    for time_s in (100.1, 100.2, 100.5, 100.6):
        meter.seen(time_s)
    assert meter.take(101.0) == pytest.approx((4.0, 0.3))  # the last 0.4 s may be messages that wait
    meter.seen(101.2)
    assert meter.take(102.0) == pytest.approx((1.0, 0.6))
    assert meter.longest_s == pytest.approx(0.6) and meter.longest_at_s == pytest.approx(101.2)


def test_what_never_comes_again_is_a_gap_that_grows() -> None:
    meter = GapMeter(0.0)
    meter.seen(1.0)
    assert meter.take(10.0) == pytest.approx((0.1, 9.0))
    assert meter.take(20.0) == pytest.approx((0.0, 19.0))
    assert meter.longest_s == pytest.approx(19.0)


def test_a_message_that_is_older_than_the_last_is_no_gap() -> None:
    meter = GapMeter(0.0)
    meter.seen(1.0)
    meter.seen(0.5)
    meter.seen(1.1)
    assert meter.longest_s == pytest.approx(1.0)


def test_samples_are_on_the_disk_at_once_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "samples.csv"
    with SampleWriter(path, ["a.uss_mib", "b.uss_mib"]) as table:
        table.add(0.0, {"a.uss_mib": 1.5, "b.uss_mib": 2.0})
        table.add(10.0, {"b.uss_mib": 1234.56})
        found = read_samples(path)
        with pytest.raises(ValueError, match="c.uss_mib"):
            table.add(20.0, {"c.uss_mib": 1.0})
    assert found["time_s"].tolist() == [0.0, 10.0] and found["b.uss_mib"].tolist() == [2.0, 1234.56]
    assert found["a.uss_mib"][0] == 1.5 and found["a.uss_mib"][1] != found["a.uss_mib"][1]


def test_a_row_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("time_s,a,b\n0,1,2\n10,3")
    assert read_samples(path)["a"].tolist() == [1.0]


@pytest.mark.parametrize(("text", "problem"), [("a,b\n1,2\n", "no column time_s"), ("time_s,a\n1,x\n", "'x'")])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(GraphError, match=problem):
        read_samples(path)
    with pytest.raises(GraphError, match="cannot be read"):
        read_samples(tmp_path / "missing.csv")


def test_a_process_is_measured_and_its_successor_too() -> None:
    hold = (
        "import sys, threading; m = bytearray({} << 20); m[::4096] = b'x' * (len(m) >> 12); "
        "print('up', flush=True); sys.stdin.read()"
    )
    meter, used = ProcessMeter(), {}
    for size in (20, 60):
        command = [sys.executable, "-c", hold.format(size)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"up\n"
            values = meter.read({"node": process.pid})
            assert set(values) == {f"node.{quantity}" for quantity in PROCESS_QUANTITIES}
            assert values["node.threads"] == 1 and values["node.fds"] >= 3
            assert values["node.private_dirty_mib"] <= values["node.uss_mib"] + 0.1
            assert values["node.uss_mib"] <= values["node.pss_mib"] <= values["node.rss_mib"]
            used[size] = values["node.private_dirty_mib"]
    assert 39 < used[60] - used[20] < 41
    assert len(meter.seen) == 2 and meter.read({"node": process.pid}) == {}


def test_only_fast_dds_files_that_are_mapped_are_found() -> None:
    paths = [SHARED_MEMORY / f"{name}_{os.getpid()}" for name in ("fastdds_test", "other_test")]
    try:
        with open(paths[0], "w+b") as one, open(paths[1], "w+b") as two:
            one.truncate(4096)
            two.truncate(4096)
            assert str(paths[0]) not in shared_memory_files([os.getpid()])
            with mmap.mmap(one.fileno(), 4096), mmap.mmap(two.fileno(), 4096):
                found = shared_memory_files([os.getpid()])
        assert str(paths[0]) in found and str(paths[1]) not in found
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def test_folders_are_weighed_and_recordings_go_oldest_first(tmp_path: Path) -> None:
    for number in range(5):
        for kind in ("episode", "buffer"):
            path = tmp_path / f"{kind}-{number:06d}.mcap"
            path.write_bytes(bytes(1000))
            os.utime(path, (number, number))
    (tmp_path / "episode-000009.mcap.part").write_bytes(bytes(500))
    assert folder_size(tmp_path) == 10_500 and folder_size(tmp_path / "missing") == 0
    assert remove_old_recordings(tmp_path, 2) == 6
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [
        "buffer-000003.mcap", "buffer-000004.mcap", "episode-000003.mcap", "episode-000004.mcap",
        "episode-000009.mcap.part",
    ]  # fmt: skip
    assert MIB == 1024.0**2
