"""The benchmark's own arithmetic, against values worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.bench.pictures import LABEL_PX, psnr, side_by_side, ssim
from tests.bench.results import BenchError, Row, Section, Stage, bench_json
from tests.bench.settings import Settings
from tests.bench.timing import Samples, compare, interleave
from tests.bench.worker import Worker


def test_psnr_of_a_known_error() -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    assert psnr(black, black) == math.inf
    # every value off by 16: mean square 256, so 10 * log10(65025 / 256)
    assert psnr(black, np.full_like(black, 16)) == pytest.approx(24.048, abs=1e-3)


def test_ssim_of_flat_pictures() -> None:
    a, b = np.full((32, 32, 3), 100, np.uint8), np.full((32, 32, 3), 120, np.uint8)
    assert ssim(a, a) == pytest.approx(1.0)
    # no structure in either: only the luminance term is left
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-6)


def test_ssim_falls_with_noise() -> None:
    rng = np.random.default_rng(0)
    image = np.clip(np.linspace(0, 255, 64)[None, :, None] + np.zeros((64, 64, 3)), 0, 255).astype(np.uint8)
    noisy = np.clip(image + rng.normal(0, 20, image.shape), 0, 255).astype(np.uint8)
    noisier = np.clip(image + rng.normal(0, 60, image.shape), 0, 255).astype(np.uint8)
    assert 1.0 > ssim(image, noisy) > ssim(image, noisier) > 0.0


def test_the_sheet_has_every_picture(tmp_path: Path) -> None:
    pictures = [np.full((8, 8, 3), value, np.uint8) for value in (10, 200)]
    side_by_side(tmp_path / "new" / "sheet.png", ("dark", "bright"), [pictures, pictures[::-1]], zoom=2)
    sheet = cv2.imread(str(tmp_path / "new" / "sheet.png"))
    assert sheet.shape == (LABEL_PX + 32, 32, 3)
    assert sheet[LABEL_PX, 0, 0] == 10 and sheet[-1, 0, 0] == 200


def test_sides_take_turns_and_become_a_row() -> None:
    order: list[str] = []

    def side(name: str, seconds: float) -> list[float]:
        order.append(name)
        return [seconds, seconds]

    found = interleave({"a": lambda: side("a", 0.01), "b": lambda: side("b", 0.05)}, 3)
    assert order == ["a", "b"] * 3
    row = compare("steps", "b", found["a"], found["b"], unit="1/s", rate=True, at_least=5.0)
    assert (row.ours, row.theirs, row.ratio) == pytest.approx((100.0, 20.0, 5.0))
    assert row.ratio_quartiles == pytest.approx((5.0, 5.0)) and row.n_ours == 6
    slower = compare("latency", "b", found["b"], found["a"], unit="ms", rate=False, at_least=2.0)
    assert slower.ours == pytest.approx(50.0) and slower.ratio == pytest.approx(0.2) and slower.met is False


def test_median_is_not_moved_by_one_hiccup() -> None:
    assert Samples(((0.1, 0.1, 9.0), (0.1, 0.1, 0.1))).median == pytest.approx(0.1)


def test_sections_survive_the_way_through_json(tmp_path: Path) -> None:
    row = Row("n", "other", "ms", 2.0, 4.0, "lower", 3, 4, (1.0, 3.0), (3.0, 5.0), (1.5, 2.5), "x", True)
    section = Section("engine", rows=[row], stages=[Stage("one", "Conv", 1.0, 0.5)], notes=["a note"], seconds=1.25)
    section.save(tmp_path / "s.json")
    assert Section.load(tmp_path / "s.json") == section
    content = json.loads(bench_json([section], {"machine": "m"}))
    assert content["rows"][0]["ratio"] == 2.0 and content["rows"][0]["n"] == 3
    assert {"name", "ours", "theirs", "unit", "ratio", "alternative"} <= content["rows"][0].keys()


def test_settings_survive_the_way_to_another_process() -> None:
    settings = Settings(only="sim", work=Path("/somewhere"), quick=True)
    assert Settings.from_text(settings.to_text()) == settings


class Doubler:
    """Lives in a worker process."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def double(self, value: int) -> int:
        """Refuses negative values."""
        if value < 0:
            raise ValueError("negative")
        return 2 * value + self._offset


def test_a_worker_answers_and_names_its_errors() -> None:
    with Worker("tests.bench.test_bench", "Doubler", 1) as worker:
        assert worker.call("double", 4) == 9
        with pytest.raises(BenchError, match="negative"):
            worker.call("double", -1)
        assert worker.call("double", 0) == 1
    with pytest.raises(BenchError, match="no_such_module"):
        Worker("tests.bench.no_such_module", "Doubler")
