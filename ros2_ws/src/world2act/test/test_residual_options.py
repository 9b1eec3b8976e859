"""What people say about the residual on the command line, before anything is started."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from world2act.cli.options import check_bundle, check_codes
from world2act.cli.set import parse
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE, GraphOptions, build_graph
from world2act_core.imagined import CodeBook, ImaginedStart, write_code_book
from world2act_core.manifest import ResidualChoice, ResidualFiles, read_manifest, save_manifest


def started(residual: ResidualChoice, bundle: str) -> object:
    """The parameter that vla_policy starts with."""
    return build_graph("sim", GraphOptions(residual=residual, bundle=bundle)).node("vla_policy").parameters["residual"]


def test_the_residual_starts_as_the_bundle_says_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    plain = read_manifest(DEFAULT_BUNDLE)
    files = {**plain.files, "residual.onnx": "a" * 64, "residual-contract.yaml": "b" * 64}
    for on_at_start in (True, False):
        residual = ResidualFiles(steps=4, code=8, action_adapter="c" * 64, on_at_start=on_at_start)
        save_manifest(tmp_path, plain.model_copy(update={"residual": residual, "files": files}))
        assert started("auto", str(tmp_path)) is on_at_start
        assert started("on", str(tmp_path)) is True and started("off", str(tmp_path)) is False
    save_manifest(tmp_path, plain.model_copy(update={"residual": None}))
    assert started("auto", str(tmp_path)) is True, "it has none"
    assert started("auto", DEFAULT_BUNDLE) is False, "what it does is not what everybody wants"
    assert started("auto", str(tmp_path / "nothing")) is True, "vla_policy will say that there is no bundle"


def test_a_manifest_that_says_nonsense_is_refused_before_anything_starts(tmp_path: Path) -> None:
    text = (Path(DEFAULT_BUNDLE) / "manifest.yaml").read_text()
    assert check_bundle(Path(DEFAULT_BUNDLE)) == str(Path(DEFAULT_BUNDLE).absolute())
    for damaged, said in ((text.replace("licence:", "license:"), "licence"), (text[:40] + "{", "cannot read")):
        (tmp_path / "manifest.yaml").write_text(damaged)
        with pytest.raises(GraphError, match=f"--bundle.*manifest.yaml.*{said}|--bundle.*{said}.*manifest.yaml"):
            check_bundle(tmp_path)


def test_codes_reach_the_policy() -> None:
    assert build_graph("real", GraphOptions()).node("vla_policy").parameters["imagined_codes"] == ""
    chosen = build_graph("sim", GraphOptions(imagined_codes="codes")).node("vla_policy").parameters
    assert chosen["imagined_codes"] == "codes"


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
