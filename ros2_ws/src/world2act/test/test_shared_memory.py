"""What killed processes leave in shared memory is removed; what others use is not."""

from __future__ import annotations

import fcntl
from pathlib import Path

from world2act.supervision.shared_memory import dead_segments, remove_dead_segments, segments


def test_only_dead_files_of_fast_dds_are_removed(tmp_path: Path) -> None:
    for name in (
        "fastdds_dead",
        "fastdds_dead_el",
        "sem.fastdds_port1_mutex",
        "fastdds_busy",
        "fastdds_busy_el",
        "mine",
    ):
        (tmp_path / name).write_bytes(b"x")
    with open(tmp_path / "fastdds_busy_el", "rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        removed = {path.name for path in remove_dead_segments(tmp_path)}
        assert removed == {"fastdds_dead", "fastdds_dead_el", "sem.fastdds_port1_mutex"}
        assert {path.name for path in segments(tmp_path)} == {"fastdds_busy", "fastdds_busy_el"}
        assert dead_segments(tmp_path) == []
    assert (tmp_path / "mine").exists()
    assert segments(tmp_path / "none") == []
