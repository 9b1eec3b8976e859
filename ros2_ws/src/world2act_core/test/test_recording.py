"""Recordings: written and read back by two libraries, and what is left after a kill, a cut and a full disk."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from world2act_core.files import DiskFullError, StorageError
from world2act_core.recording.layout import (
    PART_SUFFIX,
    POLICY,
    Header,
    Outcome,
    RecordingError,
    file_name,
    finished,
    next_number,
    unfinished,
)
from world2act_core.recording.reader import Recorded, Recording
from world2act_core.recording.recover import RECOVERED, StillWrittenError, recover
from world2act_core.recording.writer import Channel, Record, RecordingWriter

STRING = Channel("/arm/words", "std_msgs/msg/String", "string data")
BLOB = Channel("/blob", "test_msgs/msg/Blob", "uint8[] data\nfloat32[2] pair")
HEADER = Header(
    "episode", "tiny", "ab" * 32, "robot: Panda\n", "0.1.0", 1_000, plan_id=3, instruction="pick up the ü",
    note="", robot_profile="name: fr3\n", namespace="/arm", lockstep=True,
)  # fmt: skip


def text(words: str, at_ns: int) -> Record:
    """A std_msgs/String as CDR."""
    data = words.encode() + b"\0"
    return Record(STRING, b"\0\1\0\0" + struct.pack("<I", len(data)) + data, at_ns, at_ns)


def blob(size: int, at_ns: int) -> Record:
    """A message of `size` bytes that do not compress."""
    data = os.urandom(size)
    padding = b"\0" * (-size % 4)
    cdr = b"\0\1\0\0" + struct.pack("<I", size) + data + padding + struct.pack("<2f", 1.5, -2.0)
    return Record(BLOB, cdr, at_ns, at_ns)


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_what_is_written_is_read(tmp_path: Path, compression) -> None:
    writer = RecordingWriter(tmp_path / file_name("episode", 0), HEADER, compression)
    records = [text("one", 10), blob(3000, 20), text("two", 30)]
    for record in records:
        writer.write(record)
    outcome = Outcome("done", "succeeded", "", writer.messages, 2, [{"name": "E_STOP", "level": 2}])
    path = writer.finish(outcome)
    recording = Recording(path)
    assert recording.header == HEADER and recording.outcome == outcome and recording.policy == {}
    assert recording.instruction == "pick up the ü"
    assert [(m.topic, m.data, m.log_ns) for m in recording.messages()] == [
        ("words", records[0].data, 10), ("/blob", records[1].data, 20), ("words", records[2].data, 30),
    ]  # fmt: skip
    decoded = list(recording.decoded(["words", "/blob"]))
    assert decoded[0][1].data == "one" and decoded[2][1].data == "two"
    assert bytes(decoded[1][1].data) == records[1].data[8:3008] and list(decoded[1][1].pair) == [1.5, -2.0]
    assert [m.topic for m in recording.messages(["words"])] == ["words", "words"]


def test_numbers_and_names(tmp_path: Path) -> None:
    assert next_number(tmp_path) == 0
    for name in ("episode-000004.mcap", "buffer-000007.mcap.part", "recovering-episode-000009.mcap.part", "x.mcap"):
        (tmp_path / name).touch()
    assert next_number(tmp_path) == 8
    assert [path.name for path in finished(tmp_path)] == ["episode-000004.mcap", "x.mcap"]
    assert [path.name for path in unfinished(tmp_path)] == ["buffer-000007.mcap.part"]
    with pytest.raises(FileExistsError):
        RecordingWriter(tmp_path / "episode-000004.mcap", HEADER)
    with pytest.raises(FileExistsError):
        RecordingWriter(tmp_path / "buffer-000007.mcap", HEADER)
    with pytest.raises(StorageError, match="nowhere"):
        RecordingWriter(tmp_path / "nowhere" / "episode-000000.mcap", HEADER)


def test_bad_files_are_refused_with_a_remedy(tmp_path: Path) -> None:
    part = tmp_path / "episode-000000.mcap.part"
    part.write_bytes(b"not an MCAP file at all")
    with pytest.raises(RecordingError, match="recordings --recover"):
        Recording(part)
    with pytest.raises(RecordingError, match="ends before its header"):
        recover(part)
    assert part.exists(), "what cannot be recovered is not thrown away"
    other = tmp_path / "other.mcap"
    other.write_bytes(part.read_bytes())
    with pytest.raises(RecordingError, match=r"other.mcap cannot be read.*--recover"):
        Recording(other)
    with pytest.raises(RecordingError, match="no unfinished recording"):
        recover(other)
    from mcap.writer import Writer

    foreign = tmp_path / "foreign.mcap"
    with open(foreign, "wb") as stream:
        writer = Writer(stream)
        writer.start()
        writer.finish()
    with pytest.raises(RecordingError, match="not written by this project"):
        Recording(foreign)


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "episode-000000.mcap", HEADER)
    with pytest.raises(StillWrittenError, match="being written"):
        recover(writer.part)
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_whatever_is_cut_off_the_rest_is_recovered(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "episode-000000.mcap", HEADER)
    sizes = []
    for number in range(5):
        writer.write(text(f"message {number}", number))
        writer.flush()
        sizes.append(writer.size)
    path = writer.finish(Outcome("done"))
    whole = path.read_bytes()
    part = path.with_name(path.name + ".part")
    path.unlink()
    for cut in (*sizes, *(size - 1 for size in sizes), *(size + 7 for size in sizes), len(whole) - 3):
        part.write_bytes(whole[:cut])
        found = recover(part)
        # A chunk's message index follows it: a byte less loses the index and no message.
        least = sum(size <= cut for size in sizes)
        assert least <= found.messages <= least + 1, cut
        recording = Recording(found.path)
        assert [m.log_ns for m in recording.messages()] == list(range(found.messages))
        assert recording.header == HEADER and recording.outcome.end == RECOVERED
        found.path.unlink()
    assert list(tmp_path.iterdir()) == []


def whole(path: Path) -> tuple[Header, Outcome, dict[str, str], list[Recorded]]:
    """Everything that a recording says."""
    recording = Recording(path)
    return recording.header, recording.outcome, recording.policy, list(recording.messages())


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_a_byte_that_is_not_what_it_was_is_found_wherever_it_is(tmp_path: Path, compression) -> None:
    writer = RecordingWriter(tmp_path / "episode-000000.mcap", HEADER, compression)
    writer.note(POLICY, {"residual": "true"})
    for start in (0, 100, 200):
        for number in range(20):
            writer.write(text(f"message {number} and more and more words", start + number))
        writer.write(blob(500, start + 50))
        writer.flush()
    path = writer.finish(Outcome("done"))
    data, good = path.read_bytes(), whole(path)
    damaged, refused = tmp_path / "damaged.mcap", 0
    generator = random.Random(3)
    for place in range(0, len(data), 11):
        changed = bytearray(data)
        changed[place] ^= generator.choice((0x01, 0x40, 0xFF))
        damaged.write_bytes(changed)
        try:
            # The last bytes, which say that it is an MCAP file, once more, tell nothing.
            assert whole(damaged) == good, place
        except RecordingError as error:
            assert "damaged.mcap" in str(error), place
            refused += 1
        part = tmp_path / "damaged.mcap.part"
        damaged.rename(part)
        try:
            kept = recover(part).path
            found = [message.data for message in Recording(kept).messages(["words", "/arm/words", "/blob"])]
            assert found == [message.data for message in good[3]][: len(found)], place
        except RecordingError as error:
            assert "damaged.mcap.part" in str(error), place
    assert refused > 0.98 * len(range(0, len(data), 11))


def test_damage_in_the_middle_keeps_what_was_before(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "episode-000000.mcap", HEADER, "none")
    writer.write(text("good", 1))
    writer.flush()
    begin = writer.size
    writer.write(blob(5000, 2))
    writer.flush()
    writer.write(text("after", 3))
    path = writer.finish(Outcome("done"))
    data = bytearray(path.read_bytes())
    data[begin + 2000] ^= 0xFF
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    path.unlink()
    found = recover(part)
    assert found.messages == 1 and "crc" in found.damage


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_recording import HEADER, text, blob
from world2act_core.recording.writer import RecordingWriter
writer = RecordingWriter(Path({path!r}), HEADER)
number = 0
while True:
    for _ in range(3):
        writer.write(text("message", number)); number += 1
    writer.flush()
    writer.write(blob(100, 10**9))  # never flushed when the kill comes
    print(number, flush=True)
    sys.stdin.readline()
"""


def test_a_kill_loses_only_what_was_not_flushed(tmp_path: Path) -> None:
    path = tmp_path / "episode-000000.mcap"
    code = CHILD.format(tests=str(Path(__file__).parent), path=str(path))
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None and child.stdout is not None
    for _ in range(4):
        flushed = int(child.stdout.readline())
        child.stdin.write("\n")
        child.stdin.flush()
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    found = recover(path.with_name(path.name + ".part"))
    words = [m for m in Recording(found.path).messages() if m.topic == "words"]
    assert len(words) >= flushed and [m.log_ns for m in words] == list(range(len(words)))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte; skipped where it may not be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_has_a_name_and_costs_no_finished_recording(small_disk: Path) -> None:
    first = RecordingWriter(small_disk / "episode-000000.mcap", HEADER)
    first.write(blob(100_000, 1))
    first.finish(Outcome("done"))
    second = RecordingWriter(small_disk / "episode-000001.mcap", HEADER)
    kept = 0
    with pytest.raises(DiskFullError, match=r"episode-000001\.mcap\.part.*free some space"):
        for number in range(100):
            second.write(blob(50_000, number))
            second.flush()
            kept += 1
    part = second.abandon()
    assert second.closed and kept >= 10
    assert len(list(Recording(small_disk / "episode-000000.mcap").messages())) == 1
    moved = Path(shutil.copy(part, small_disk.parent))  # to a disk with room
    assert recover(moved).messages == kept
    with pytest.raises(DiskFullError):
        recover(part)
    assert part.exists() and unfinished(small_disk) == [part], "recovery needs room too, and takes nothing away"
    _fill(small_disk / "filler")
    with pytest.raises(DiskFullError):
        RecordingWriter(small_disk / "episode-000002.mcap", HEADER)
    assert not (small_disk / f"episode-000002{PART_SUFFIX}").exists()


def _fill(path: Path) -> None:
    with open(path, "wb", buffering=0) as stream:
        try:
            while stream.write(b"\0" * 4096):
                pass
        except OSError:
            return


def test_a_refused_write_is_an_error_with_the_path(tmp_path: Path) -> None:
    """The system's limit on file sizes: a real error of a real write, on any machine."""
    code = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_recording import HEADER, blob
from world2act_core.files import StorageError
from world2act_core.recording.writer import RecordingWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
writer = RecordingWriter(Path(sys.argv[2]), HEADER)
try:
    for number in range(100):
        writer.write(blob(50_000, number))
        writer.flush()
except StorageError as error:
    print(error)
    writer.abandon()
"""
    path = tmp_path / "episode-000000.mcap"
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent), str(path)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"cannot write {path}.part" in done.stdout
    assert 3 <= recover(path.with_name(path.name + ".part")).messages <= 5
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
