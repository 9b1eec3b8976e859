"""The copy of the bundle that faults damage."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from world2act.errors import GraphError
from world2act.faults.scratch import copy_of, scratch_folder
from world2act_core.bundle import load_bundle


def test_the_copy_is_damaged_where_it_may_be_written(tmp_path: Path) -> None:
    """In an image the bundle's own folder, and the one that it is in, belong to root."""
    bundle = Path("models/tabletop-nano").absolute()
    before = {path.name: path.stat().st_mtime_ns for path in (*bundle.iterdir(), *bundle.parent.iterdir())}
    with scratch_folder() as folder:
        copy = copy_of(bundle, folder)
        opened = load_bundle(copy)
        assert copy.is_relative_to(folder) and opened.text_encoder_path.resolve().is_relative_to(bundle.parent)
        assert {path.name: path.stat().st_mtime_ns for path in (*bundle.iterdir(), *bundle.parent.iterdir())} == before
    assert not folder.exists()
    (tmp_path / "file").touch()
    with pytest.raises(GraphError, match=r"tabletop-nano cannot be copied to .*file.*TMPDIR"):
        copy_of(bundle, tmp_path / "file")


def test_no_place_for_the_copy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")  # what TMPDIR was when the process began
    with pytest.raises(GraphError, match=r"/nowhere.*TMPDIR"), scratch_folder():
        pass
