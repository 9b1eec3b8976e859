"""What differs between what is there and what would be made now, and how it is said."""

from __future__ import annotations

import pytest

from training.common.errors import CheckpointError, DatasetError
from training.common.sameness import changes, refuse


def test_changes_are_named_and_what_is_not_said_is_none() -> None:
    there = {"same": 1, "inner": {"a": 1, "b": [1, 2]}, "gone": 3}
    now = {"same": 1, "inner": {"a": 2, "b": [1, 2], "new": 5}, "new": 4}
    assert changes(there, now) == {"inner.a": (1, 2), "gone": (3, None)}
    assert changes({"lora": None}, {"lora": {"rank": 1}}) == {"lora": (None, {"rank": 1})}
    refuse("nothing", {})


def test_the_message_names_place_values_and_remedy() -> None:
    with pytest.raises(
        CheckpointError, match=r"runs/x is another \(there, now\): \{'a': \(1, 2\)\}; choose another --out"
    ):
        refuse("runs/x is another", {"a": (1, 2)})
    with pytest.raises(DatasetError, match=r"\('aaaaaaaaaaaa', 'bbbbbbbbbbbb'\)"):
        refuse("x", {"hash": ("a" * 64, "b" * 64)}, DatasetError)
    long = "a text of many words " * 9
    with pytest.raises(CheckpointError) as caught:
        refuse("x", {"contract": (long, long + "and an end")})
    before, now = str(caught.value).split("(there, now)")[1].split("', '")
    assert before != now and len(str(caught.value)) < 200
