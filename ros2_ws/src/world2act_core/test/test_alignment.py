"""The alignment score: the file of imagined codes, which of them belongs to a chunk, and the cosine."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from world2act_core.alignment import AlignmentTracker, cosine
from world2act_core.imagined import CodeBook, ImaginedCodesError, ImaginedStart, read_code_book, write_code_book
from world2act_core.types import ActionChunk

PICK, PLACE = "pick up the can", "put the can in the bin"
# Two parts of three chunks; the code of chunk j of part p points along axis 3 p + j.
AXES = np.eye(6, dtype=np.float32).reshape(2, 3, 6)


def book(whole_episode: bool = False, **starts: ImaginedStart) -> CodeBook:
    parts = ImaginedStart(("both",), AXES[:1]) if whole_episode else ImaginedStart((PICK, PLACE), AXES)
    return CodeBook(4, "a" * 64, "b" * 64, whole_episode, starts or {"composite/seen/7": parts})


def chunk(time_s: float, axis: int, skill_id: int = 0) -> ActionChunk:
    code = np.zeros(6, np.float32)
    code[axis] = 2.0
    return ActionChunk(0, time_s, 0.1, np.zeros((8, 7), np.float32), skill_id=skill_id, code=code)


def test_chunks_count_from_the_start_of_their_skill() -> None:
    tracker = AlignmentTracker(book())
    first = [tracker.score(chunk(10 + 0.4 * j, j, 5), "composite/seen/7", PICK, 0) for j in range(4)]
    assert first[:3] == [1.0, 1.0, 1.0] and math.isnan(first[3]) and not tracker.reason
    second = [tracker.score(chunk(12 + 0.4 * j, 3 + j, 6), "composite/seen/7", PLACE, 1) for j in range(3)]
    assert second == [1.0, 1.0, 1.0]
    # Another try of the same skill has another number and begins anew.
    assert tracker.score(chunk(20.0, 3, 7), "composite/seen/7", PLACE, 1) == 1.0
    # Late by less than half a chunk is the same chunk, by more the next one.
    assert tracker.score(chunk(20.1, 3, 7), "composite/seen/7", PLACE, 1) == 1.0
    assert tracker.score(chunk(20.3, 3, 7), "composite/seen/7", PLACE, 1) == 0.0


def test_a_whole_episode_counts_through() -> None:
    tracker = AlignmentTracker(book(whole_episode=True))
    scores = [tracker.score(chunk(0.4 * j, j, j), "composite/seen/7", f"skill {j}", j, plan=1) for j in range(3)]
    assert scores == [1.0, 1.0, 1.0]
    assert tracker.score(chunk(9.0, 0, 9), "composite/seen/7", "another", 0, plan=2) == 1.0


def test_the_prompt_decides_when_the_plan_is_ordered_otherwise() -> None:
    tracker = AlignmentTracker(book())
    assert tracker.score(chunk(0.0, 3, 1), "composite/seen/7", PLACE, 0) == 1.0
    assert math.isnan(tracker.score(chunk(1.0, 3, 2), "composite/seen/7", "press the button", 1))
    assert "'press the button'" in tracker.reason and PICK in tracker.reason


def test_why_there_is_no_score() -> None:
    tracker = AlignmentTracker(book())
    assert math.isnan(tracker.score(chunk(0.0, 0), "pick/seen/8", PICK, 0)) and "'pick/seen/8'" in tracker.reason
    assert tracker.score(chunk(0.0, 0), "", PICK, 0) == 1.0  # the only initial state needs no name
    assert math.isnan(tracker.score(replace(chunk(0.0, 0), code=None), "", PICK, 0)) and "no code" in tracker.reason
    start = book().starts["composite/seen/7"]
    assert math.isnan(AlignmentTracker(book(a=start, b=start)).score(chunk(0.0, 0), "", PICK, 0))


def test_cosine_by_hand() -> None:
    assert cosine(np.array([3.0, 4.0]), np.array([4.0, 3.0])) == pytest.approx(24 / 25)
    assert cosine(np.array([1.0, 0.0]), np.array([-2.0, 0.0])) == -1.0
    assert math.isnan(cosine(np.zeros(2), np.ones(2)))


def test_codes_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "codes.safetensors"
    write_code_book(path, book())
    back = read_code_book(path)
    assert (back.steps, back.action_adapter, back.video_adapter, back.whole_episode) == (4, "a" * 64, "b" * 64, False)
    start = back.starts["composite/seen/7"]
    assert start.prompts == (PICK, PLACE) and (start.codes == AXES).all() and back.size == 6


def test_what_is_no_file_of_codes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImaginedCodesError, match=r"cannot read .*python -m training imagined-codes"):
        read_code_book(tmp_path / "nothing")
    (tmp_path / "text").write_text("codes")
    with pytest.raises(ImaginedCodesError, match="cannot read"):
        read_code_book(tmp_path / "text")
    save_file({"x": AXES}, tmp_path / "other", {"format": "pt"})
    with pytest.raises(ImaginedCodesError, match="holds 'pt' version None"):
        read_code_book(tmp_path / "other")
    facts = {"format": "world2act-imagined-codes", "version": "1", "steps": "4", "whole_episode": "false"}
    facts |= {"action_adapter": "a", "video_adapter": "b"}
    save_file({"x": AXES}, tmp_path / "damaged", facts)
    with pytest.raises(ImaginedCodesError, match=r"metadata is damaged .*prompts"):
        read_code_book(tmp_path / "damaged")
    save_file({"x": AXES}, tmp_path / "parts", facts | {"prompts": '{"x": ["one"]}'})
    with pytest.raises(ImaginedCodesError, match=r"'x' must be finite \[1, chunks, 6\], got shape \[2, 3, 6\]"):
        read_code_book(tmp_path / "parts")
    broken = ImaginedStart((PICK, PLACE), AXES * np.float32(np.nan))
    write_code_book(tmp_path / "nan", book(x=broken))
    with pytest.raises(ImaginedCodesError, match="must be finite"):
        read_code_book(tmp_path / "nan")


def test_codes_of_another_adapter_are_refused() -> None:
    book().check_adapter("a" * 64, 4, "here")
    with pytest.raises(ImaginedCodesError, match=r"codes in here .* aaaaaaaaaaaa .* of 4, .* bbbbbbbbbbbb .* of 4"):
        book().check_adapter("b" * 64, 4, "here")
    with pytest.raises(ImaginedCodesError, match="chunks of 8"):
        book().check_adapter("a" * 64, 8, "here")
