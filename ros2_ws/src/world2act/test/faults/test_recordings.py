"""A finished recording that a fault has damaged is found, by name; an unhurt one is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from world2act.faults.recordings import episodes, finished_recordings, lost, move_away
from world2act_core.recording.layout import Header, Outcome
from world2act_core.recording.writer import Channel, Record, RecordingWriter

SKILLS = Channel("/skill", "std_msgs/msg/String", "string data")


def record(folder: Path, name: str, size: int = 4000) -> Path:
    writer = RecordingWriter(folder / name, Header("episode", "tiny", "0" * 64, "", "0.1.0", 1), "none")
    for number in range(10):
        writer.write(Record(SKILLS, os.urandom(size // 10), number, number))
    return writer.finish(Outcome("the instruction ended", messages=10))


def test_what_is_unhurt_is_not_lost_and_what_is_unfinished_was_never_there(tmp_path: Path) -> None:
    for number in range(3):
        record(tmp_path, f"episode-00000{number}.mcap")
    (tmp_path / "episode-000003.mcap.part").write_bytes(b"a crash")
    before = finished_recordings(tmp_path)
    assert len(before) == 3 == episodes(tmp_path)
    record(tmp_path, "episode-000004.mcap")
    assert lost(before) == []


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """One byte in the middle, which no reader would miss, and a file that looks as old as before."""
    known, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))


@pytest.mark.parametrize(
    ("damage", "text"), [(Path.unlink, "is gone"), (truncate, "was changed"), (flip, "was changed")]
)
def test_what_is_damaged_is_named(tmp_path: Path, damage: Callable[[Path], None], text: str) -> None:
    paths = [record(tmp_path, f"episode-00000{number}.mcap") for number in range(3)]
    before = finished_recordings(tmp_path)
    damage(paths[1])
    (told,) = lost(before)
    assert told.startswith("episode-000001.mcap, finished before the fault, ") and text in told


@pytest.mark.parametrize("where", [20, -40])
def test_what_was_never_readable_is_found(tmp_path: Path, where: int) -> None:
    path = record(tmp_path, "episode-000000.mcap")
    data = bytearray(path.read_bytes())
    data[where : where + 30 if where > 0 else None] = b"\xff" * (30 if where > 0 else -where)
    path.write_bytes(data)
    (told,) = lost(finished_recordings(tmp_path))
    assert "episode-000000.mcap, finished before the fault, cannot be read" in told


def test_the_oldest_are_moved_away_but_never_the_newest_episode(tmp_path: Path) -> None:
    for number in range(4):
        path = record(tmp_path, f"episode-00000{number}.mcap")
        os.utime(path, ns=(number, number))
    saved = record(tmp_path, "buffer-000004.mcap", 400_000)
    os.utime(saved, ns=(4, 4))
    move_away(tmp_path, keep_bytes=1_000_000)
    assert len(finished_recordings(tmp_path)) == 5
    move_away(tmp_path, keep_bytes=410_000)
    assert [found.path.name for found in finished_recordings(tmp_path)] == [
        "buffer-000004.mcap", "episode-000003.mcap",
    ]  # fmt: skip
    move_away(tmp_path, keep_bytes=0)
    assert [found.path.name for found in finished_recordings(tmp_path)] == ["episode-000003.mcap"]
