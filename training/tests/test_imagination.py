"""What imagined codes tell of an expert's actions, on chunks whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from training.evidence.imagination_plot import write_curves
from training.evidence.imagination_report import Told, read_out, summary

CLIPS, PLACES, STEPS, ENTRIES, CODE = 40, 3, 4, 7, 8


def told(noise: float) -> Told:
    """Recorded: perfect. Imagined: wrong by ``noise``. Base: wrong by 0.2. The last clip has only its first chunk."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(CLIPS, PLACES, *shape, generator=generator)

    expert, codes = draw(STEPS, ENTRIES).clamp(-1, 1), draw(CODE)
    mask = torch.ones(CLIPS, PLACES, dtype=torch.bool)
    mask[-1, 1:] = False
    # Where nothing is whole there is nonsense, which must not count.
    expert[-1, 1:] = 1e3
    return Told(
        expert,
        codes,
        mask,
        {"recorded": codes, "imagined": codes + 3 * noise * draw(CODE)},
        {"recorded": expert, "imagined": expert + noise, "base": expert - 0.2},
        {"position": slice(0, 6), "gripper": slice(6, 7)},
        tuple(range(CLIPS)),
    )


def test_errors_retrieval_and_cosines_of_known_chunks() -> None:
    report = summary(told(0.05))
    assert report["error"]["recorded"]["mean"] == 0.0
    assert report["error"]["imagined"]["mean"] == pytest.approx(0.05, abs=1e-5)
    assert report["error"]["base"]["by_place"] == pytest.approx([0.2] * PLACES, abs=1e-5)
    assert set(report["error"]["base"]["by_dimension"]) == {"position", "gripper"}
    found = report["retrieval"]["recorded"]
    assert (found["rate"], found["n"]) == (1.0, CLIPS * PLACES - 2)
    assert found["chance"] == pytest.approx((CLIPS / CLIPS + 2 * 39 / 39) / (CLIPS * PLACES - 2), abs=1e-6)
    assert report["cosine"]["recorded"]["mean"] == pytest.approx(1.0)
    assert report["cosine"]["imagined"]["mean"] < 1.0


@pytest.mark.parametrize(("noise", "sign"), [(0.05, 1), (0.5, -1)])
def test_nearer_than_the_base_policy_or_not(noise: float, sign: int) -> None:
    nearer = summary(told(noise))["nearer_than"]
    assert set(nearer) == {"recorded", "base", "average"}
    assert nearer["base"]["by"] == pytest.approx(0.2 - noise, abs=1e-5)
    assert nearer["base"]["by"] * sign > 0 and nearer["base"]["n"] == CLIPS
    average = summary(told(noise))["error"]["average"]["mean"]
    assert nearer["average"]["by"] == pytest.approx(average - noise, abs=0.02)


def test_the_figure_shows_every_source(tmp_path: Path) -> None:
    report = json.loads(json.dumps(summary(told(0.1))))
    write_curves(tmp_path / "figure.png", report)
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_codes_are_read_out_by_a_map_that_never_saw_the_clip() -> None:
    generator = torch.Generator().manual_seed(1)
    recorded = torch.randn(60, PLACES, CODE, generator=generator)
    turn = torch.linalg.qr(torch.randn(CODE, CODE, generator=generator)).Q
    expert = 3.0 * recorded @ turn + 0.5
    mask = torch.ones(60, PLACES, dtype=torch.bool)
    torch.testing.assert_close(read_out(recorded, recorded, expert, mask), expert, rtol=1e-4, atol=1e-4)
    # An odd clip's answer hangs on the even clips alone.
    spoilt = expert.clone()
    spoilt[1::2] = 100.0
    torch.testing.assert_close(read_out(recorded, recorded, spoilt, mask)[1::2], expert[1::2], rtol=1e-4, atol=1e-4)
