"""The page of a run of the recipe shows whatever figures and films there are so far."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path

import pytest

from training.common.errors import DatasetDiskFullError
from training.recipes.world2act.places import Places
from training.recipes.world2act.recipe import PRESETS, places_of
from training.recipes.world2act.report import write_report
from training.tests.synthetic_run import TEXT_ENCODER

SHOWN = {
    "data/tabletop-skill/meta/clip-lengths.png": "clip-lengths.png",
    "world-model-evaluation/strip-7.png": "strip-7.png",
    "imagination/imagination.png": "imagination.png",
    "imagination/strip-000.png": "imagination-strip-000.png",
    "evaluation/bundle-world2act-v1/monitor/roc.png": "monitor-roc.png",
    "evaluation/bundle-world2act-v1/monitor/scores.png": "monitor-scores.png",
    "evidence/world2act-score.png": "world2act-score.png",
}
"""File of a run -> its name in the report."""


def run_with(root: Path, *files: str) -> Places:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.encode())
    return places_of(root, PRESETS["tiny"], TEXT_ENCODER)


def test_every_figure_is_shown(tmp_path: Path) -> None:
    page = write_report(run_with(tmp_path, *SHOWN), "tiny", [])
    shown = re.findall(r'src="media/([^"]+)"', page.read_text())
    assert sorted(shown) == sorted(SHOWN.values())
    for file, name in SHOWN.items():
        assert (page.parent / "media" / name).read_bytes() == file.encode()


def test_there_is_a_page_before_there_are_figures(tmp_path: Path) -> None:
    text = write_report(run_with(tmp_path), "tiny", []).read_text()
    assert "Not judged yet." in text and "src=" not in text


def test_a_report_that_is_stopped_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = run_with(tmp_path, *SHOWN)
    page = write_report(places, "tiny", [])
    before, media = page.read_text(), {path.name for path in (page.parent / "media").iterdir()}

    def stopped(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "copyfile", stopped)
        write_report(places, "tiny", [])
    assert page.read_text() == before and {path.name for path in (page.parent / "media").iterdir()} == media
    for file, name in SHOWN.items():
        assert (page.parent / "media" / name).read_bytes() == file.encode()
    (tmp_path / "imagination/strip-000.png").unlink()
    write_report(places, "tiny", [])
    assert {path.name for path in (page.parent / "media").iterdir()} == media - {"imagination-strip-000.png"}


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    places = run_with(tmp_path, *SHOWN)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DatasetDiskFullError, match="no space left for .*report/media"):
        write_report(places, "tiny", [])
