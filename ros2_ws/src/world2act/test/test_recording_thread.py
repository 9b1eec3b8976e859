"""The writing thread: nobody waits for it, whatever the disk does."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from world2act.recording.events import EpisodeLog
from world2act.recording.last_minute import LastMinute
from world2act.recording.thread import DISK_FULL, Limits, RecordingThread
from world2act.recording.tracker import RefusedError
from world2act_core.files import DiskFullError, StorageError
from world2act_core.recording.layout import COMMANDER, POLICY, Header, finished, unfinished
from world2act_core.recording.reader import Recording
from world2act_core.recording.recover import recover
from world2act_core.recording.writer import Channel, Record

CHANNEL = Channel("/words", "std_msgs/msg/String", "string data")
HEADER = Header("episode", "tiny", "0" * 64, "", "0.1.0", 1)
MIB = 1 << 20


def record(size: int = 100, at_ns: int = 1) -> Record:
    return Record(CHANNEL, bytes(range(256)) * (size // 256) + bytes(size % 256), at_ns, at_ns)


def buffer_header(note: str) -> Header:
    return Header("buffer", "tiny", "0" * 64, "", "0.1.0", 1, note=note)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., RecordingThread]]:
    threads: list[RecordingThread] = []

    def one(folder: Path = tmp_path, queue_bytes: int = MIB, min_free: int = 0) -> RecordingThread:
        threads.append(RecordingThread(folder, "none", Limits(queue_bytes, min_free, 0.05)))
        return threads[-1]

    yield one
    for thread in threads:
        assert thread.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes; skipped where it may not be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Slow(Sequence[Record]):
    """First messages that come only when they are let through: a disk that hangs."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index):
        if index > 0:
            raise IndexError
        self.go.wait(30.0)
        return record()


def test_episodes_one_after_another(make, tmp_path: Path) -> None:
    thread = make()
    for number in range(2):
        log = EpisodeLog(f"instruction {number}")
        thread.begin(HEADER, [record()], log)
        thread.note("extra", {"a": "b"})
        for _ in range(number + 1):
            thread.put(record())
        assert thread.end("over").result(10.0) == tmp_path / f"episode-00000{number}.mcap"
        recording = Recording(tmp_path / f"episode-00000{number}.mcap")
        assert len(list(recording.messages())) == number + 2 == recording.outcome.messages
        assert recording.outcome.end == "over" and recording.instruction == f"instruction {number}"
    thread.begin(HEADER, [], EpisodeLog())
    thread.end("", keep=False).result(10.0)
    assert len(finished(tmp_path)) == 2 and not unfinished(tmp_path)
    with pytest.raises(StorageError, match="nothing was being recorded"):
        thread.end("again").result(10.0)


def test_a_slow_disk_costs_messages_and_not_time(make, tmp_path: Path) -> None:
    thread = make(queue_bytes=1000)
    slow = Slow()
    thread.begin(HEADER, slow, EpisodeLog())
    for _ in range(50):
        thread.put(record(100))  # would wait for ever if it waited
    assert thread.progress.dropped == 40 == thread.progress.lost_now
    slow.go.set()
    recording = Recording(thread.end("over").result(10.0))
    assert len(list(recording.messages())) == 11 and recording.outcome.dropped == 40


def test_too_little_room_to_begin(make, tmp_path: Path) -> None:
    thread = make(min_free=1 << 62)
    thread.begin(HEADER, [], EpisodeLog())
    thread.put(record())
    with pytest.raises(StorageError, match="MiB are free"):
        thread.end("over").result(10.0)
    assert thread.progress.error == DISK_FULL and not list(tmp_path.iterdir())


def test_a_full_disk_ends_the_episode_and_not_the_thread(make, small_disk: Path) -> None:
    thread = make(small_disk, queue_bytes=4 * MIB)
    thread.begin(HEADER, [record()], EpisodeLog())
    thread.end("over").result(10.0)
    thread.begin(HEADER, [record()], EpisodeLog())
    for number in range(30):
        thread.put(record(100_000, number))
    assert until(lambda: thread.progress.error == DISK_FULL)
    assert "episode-000001.mcap.part" in thread.progress.message
    with pytest.raises(StorageError, match="no space left"):
        thread.end("over").result(10.0)
    assert len(list(Recording(finished(small_disk)[0]).messages())) == 1
    # Room again: the next episode is recorded, and the one that was cut off can be read up to the last chunk.
    moved = small_disk.parent / "episode-000001.mcap.part"
    moved.write_bytes(unfinished(small_disk)[0].read_bytes())
    unfinished(small_disk)[0].unlink()
    assert recover(moved).messages >= 10
    thread.begin(HEADER, [record()], EpisodeLog())
    assert thread.end("over").result(10.0).exists() and thread.progress.error == ""


def test_an_episode_ends_whole_before_the_disk_is_full(make, small_disk: Path) -> None:
    thread = make(small_disk, min_free=MIB)
    thread.begin(HEADER, [], EpisodeLog())
    for number in range(100):
        thread.put(record(50_000, number))
        if not until(lambda: thread.progress.error == "", 0.0):
            break
        time.sleep(0.02)
    assert until(lambda: thread.progress.error == DISK_FULL)
    recording = Recording(finished(small_disk)[0])
    assert recording.outcome.end == DISK_FULL and len(list(recording.messages())) >= 10
    assert not unfinished(small_disk)


def test_a_kill_of_the_disk_is_told(make, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    thread = make(folder)
    folder.rmdir()
    thread.begin(HEADER, [], EpisodeLog())
    assert until(lambda: thread.progress.error != "")
    assert "gone" in thread.progress.message


@pytest.fixture
def minute(tmp_path: Path) -> Iterator[LastMinute]:
    last = LastMinute(tmp_path, "lz4", 60.0, MIB, 0, 2)
    yield last
    last.close(0.0, buffer_header)


def test_the_last_minute_is_saved_after_a_fault(minute: LastMinute, tmp_path: Path) -> None:
    for number in range(5):
        minute.push(record(at_ns=number))
    minute.add_events([{"name": "INPUT_SILENT"}])
    minute.fault("camera_ingest: INPUT_SILENT", 100.0, 1.0)
    minute.tick(100.5, buffer_header)
    assert not finished(tmp_path), "what the fault leads to is wanted too"
    minute.push(record(at_ns=9))
    minute.tick(101.0, buffer_header)
    assert until(lambda: bool(finished(tmp_path)))
    recording = Recording(tmp_path / "buffer-000000.mcap")
    assert [m.log_ns for m in recording.messages()] == [0, 1, 2, 3, 4, 9]
    assert recording.header.note == "camera_ingest: INPUT_SILENT"
    assert recording.outcome.safety_events == [{"name": "INPUT_SILENT"}]
    # The same fault again and again fills no disk: once a minute at most.
    minute.push(record(at_ns=10))
    minute.fault("again", 102.0, 1.0)
    minute.tick(160.9, buffer_header)
    assert len(finished(tmp_path)) == 1
    assert until(lambda: minute.tick(161.0, buffer_header) or len(finished(tmp_path)) == 2)
    # Nor does one that goes on for days; who asks for it gets it all the same.
    minute.push(record(at_ns=11))
    minute.fault("again", 300.0, 1.0)
    assert until(lambda: minute.tick(301.0, buffer_header) or minute.error != "")
    assert "move them away" in minute.error and len(finished(tmp_path)) == 2
    assert until(lambda: minute._saving is not None and minute._saving.done())
    assert minute.save("by hand", 302.0, buffer_header).result(10.0).exists() and minute.error == ""


def test_the_last_minute_says_how_others_were_set_when_it_began(tmp_path: Path) -> None:
    held = {5: {POLICY: {"residual": "false"}, COMMANDER: {}}}
    minute = LastMinute(tmp_path, "lz4", 60.0, MIB, 0, 2, held.__getitem__)
    minute.push(record(at_ns=5))
    minute.push(record(at_ns=9))
    path = minute.save("", 0.0, buffer_header).result(10.0)
    minute.close(0.0, buffer_header)
    assert Recording(path).policy == {"residual": "false"} and Recording(path).commander == {}


def test_saving_is_refused_with_a_reason(minute: LastMinute, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="empty"):
        minute.save("", 0.0, buffer_header)
    off = LastMinute(tmp_path, "lz4", 0.0, MIB, 0, 2)
    off.push(record())
    off.fault("x", 0.0, 0.0)
    with pytest.raises(RefusedError, match="buffer_seconds is 0"):
        off.save("", 0.0, buffer_header)
    off.close(1.0, buffer_header)
    full = LastMinute(tmp_path, "lz4", 60.0, MIB, 1 << 62, 2)
    full.push(record())
    with pytest.raises(DiskFullError):
        full.save("", 0.0, buffer_header).result(10.0)
    assert "not saved" in full.error
    full.close(1.0, buffer_header)
    assert not list(tmp_path.iterdir())
