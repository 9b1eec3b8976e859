"""What people say about the residual on the command line, before anything is started."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from world2act.cli.options import check_codes
from world2act.cli.set import parse
from world2act.errors import GraphError
from world2act.graph import GraphOptions, build_graph
from world2act_core.imagined import CodeBook, ImaginedStart, write_code_book


def test_the_residual_is_on_unless_somebody_says_otherwise() -> None:
    plain = build_graph("real", GraphOptions()).node("vla_policy").parameters
    assert plain["residual"] is True and plain["imagined_codes"] == ""
    chosen = build_graph("sim", GraphOptions(residual="off", imagined_codes="codes")).node("vla_policy").parameters
    assert chosen["residual"] is False and chosen["imagined_codes"] == "codes"


def test_a_file_that_holds_no_codes_is_refused_at_once(tmp_path: Path) -> None:
    assert check_codes(None) == ""
    with pytest.raises(GraphError, match=r"--imagined-codes: cannot read .*training imagined-codes"):
        check_codes(tmp_path / "nothing")
    start = ImaginedStart(("pick up the can",), np.ones((1, 2, 3), np.float32))
    write_code_book(tmp_path / "codes", CodeBook(4, "a" * 64, "b" * 64, False, {"here": start}))
    assert check_codes(tmp_path / "codes") == str((tmp_path / "codes").absolute())


@pytest.mark.parametrize(
    ("text", "value"),
    [("off", False), ("on", True), ("3", 3), ("0.5", 0.5), ("pick/seen/7", "pick/seen/7"), ("", ""), ("[1", "[1")],
)
def test_values_are_read_as_people_mean_them(text: str, value: object) -> None:
    assert parse(text) == value and type(parse(text)) is type(value)
