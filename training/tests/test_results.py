"""Finished episodes on disk: what a kill or a full disk leaves of a line costs that episode and no other."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.results import Results
from training.evaluation.rollout import Episode, EpisodeOutcome


def outcome(seed: int, frames: int = 0) -> EpisodeOutcome:
    film = [np.full((4, 8, 3), seed, np.uint8)] * frames
    return EpisodeOutcome(Episode("pick", "seen", seed), "pick it up", (), True, (), "done", 1.0, 3, 0, frames=film)


def seeds(folder: Path, identity: str = "this") -> list[int]:
    return [episode.seed for episode in Results(folder, identity).rows]


def test_a_line_that_was_cut_off_does_not_swallow_the_next_one(tmp_path: Path) -> None:
    results = Results(tmp_path, "this")
    for seed in (1, 2):
        results.add(outcome(seed))
    path = tmp_path / "episodes.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    again = Results(tmp_path, "this")
    assert seeds(tmp_path) == [1]
    for seed in (2, 3):
        again.add(outcome(seed))
    assert seeds(tmp_path) == [1, 2, 3]
    # What was cut off by nothing but its end of line is still a whole line.
    path.write_bytes(whole.rstrip(b"\n"))
    Results(tmp_path, "this").add(outcome(3))
    assert seeds(tmp_path) == [1, 2, 3] and seeds(tmp_path, "another") == []


def test_damaged_bytes_cost_one_episode(tmp_path: Path) -> None:
    results = Results(tmp_path, "this")
    for seed in (1, 2, 3):
        results.add(outcome(seed))
    path = tmp_path / "episodes.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\xff\xfe\x00" + lines[1][3:] + lines[2] + b"7\n")
    assert seeds(tmp_path) == [1, 3]


def test_a_film_is_there_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = Results(tmp_path, "this")

    def half(target: Path | IO[bytes], frames: NDArray[np.uint8]) -> None:
        if isinstance(target, Path):
            target.write_bytes(b"\x93NUMPY")
        else:
            target.write(b"\x93NUMPY")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(np, "save", half)
        results.add(outcome(1, frames=2))
    again = Results(tmp_path, "this")
    assert again.has(Episode("pick", "seen", 1)) and again.film(Episode("pick", "seen", 1)) is None
    again.add(outcome(1, frames=2))
    film = again.film(Episode("pick", "seen", 1))
    assert film is not None and film.shape == (2, 4, 8, 3) and seeds(tmp_path) == [1]
