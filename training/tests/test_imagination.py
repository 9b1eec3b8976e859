"""What imagined codes tell of an expert's actions, on chunks whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from training.common.errors import TrainingError
from training.evidence import imagination
from training.evidence.imagination import ImaginationConfig, measure_imagination
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


def test_clips_of_one_demonstration_count_as_one() -> None:
    """The same clips twice under the same seeds tell no more than once; under other seeds they would."""
    known = told(0.1)
    noise = torch.randn(CLIPS, 1, 1, 1, generator=torch.Generator().manual_seed(1)) * 0.1
    known = replace(known, chunks={**known.chunks, "imagined": known.chunks["imagined"] + noise})

    def twice(part: torch.Tensor) -> torch.Tensor:
        return torch.cat([part, part])

    def found(seeds: tuple[int, ...]) -> dict[str, float]:
        both = replace(
            known, expert=twice(known.expert), expert_codes=twice(known.expert_codes), mask=twice(known.mask),
            codes={name: twice(code) for name, code in known.codes.items()},
            chunks={name: twice(chunk) for name, chunk in known.chunks.items()}, seeds=seeds,
        )  # fmt: skip
        return summary(both)["nearer_than"]["base"]

    once = summary(known)["nearer_than"]["base"]
    same, other = found(known.seeds * 2), found(tuple(range(2 * CLIPS)))
    assert (once["n"], once["demonstrations"]) == (CLIPS, CLIPS)
    assert (same["n"], same["demonstrations"]) == (2 * CLIPS, CLIPS)
    assert same["interval"] == pytest.approx(once["interval"]) and same["p"] == pytest.approx(once["p"])
    width = [row["interval"][1] - row["interval"][0] for row in (once, other)]
    assert width[1] < 0.75 * width[0]


def test_the_average_is_that_of_other_demonstrations() -> None:
    known = told(0.1)
    seeds = tuple(number // 2 for number in range(CLIPS))  # two clips per demonstration
    known = replace(known, seeds=seeds)
    odd = torch.tensor(seeds) % 2 == 1
    for mine in (odd, ~odd):
        other = known.mask & ~mine[:, None]
        means = torch.stack([known.expert[other[:, place], place].mean(dim=0) for place in range(PLACES)])
        nothing = torch.zeros(CLIPS, PLACES, 0)
        made = read_out(nothing, known.expert, known.mask, seeds)[mine]
        torch.testing.assert_close(made, means.expand_as(made), rtol=1e-4, atol=1e-4)


def test_codes_that_say_nothing_are_no_worse_than_the_average_and_good_ones_better() -> None:
    generator = torch.Generator().manual_seed(2)
    clips, mask = 300, torch.ones(300, PLACES, dtype=torch.bool)
    # What is done hangs on the place mostly, and a little on something that the code holds.
    hidden = torch.randn(clips, PLACES, CODE, generator=generator)
    way = torch.randn(CODE, STEPS * ENTRIES, generator=generator)
    expert = (0.02 * hidden @ way).unflatten(2, (STEPS, ENTRIES)) + torch.tensor([0.5, 0.0, -0.5])[:, None, None]
    expert = expert + 0.1 * torch.randn(expert.shape, generator=generator)
    codes = {"recorded": hidden, "imagined": -3.0 * hidden.flip(-1) + 5.0, "nonsense": torch.randn_like(hidden)}
    seeds = tuple(range(clips))
    chunks = {name: read_out(code, expert, mask, seeds) for name, code in codes.items()}
    report = summary(Told(expert, hidden, mask, codes, chunks, {"all": slice(0, ENTRIES)}, seeds))
    error = {name: values["mean"] for name, values in report["error"].items()}
    # Imagined codes in a language of their own are read as well as recorded ones, and neither is measured by the other.
    assert error["imagined"] == pytest.approx(error["recorded"], rel=1e-3)
    assert error["imagined"] < 0.95 * error["average"] and report["nearer_than"]["average"]["p"] < 0.001
    assert error["nonsense"] == pytest.approx(error["average"], rel=0.03)


def test_what_was_trained_on_is_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The world model and the adapters say what was held out; asking for something else is refused."""
    held = {"world model": 10, "adapters": 10}

    class Model:
        vae = SimpleNamespace(hash="v")
        holdout_every = property(lambda self: held["world model"])

        def to(self, device: torch.device) -> Model:
            return self

    def adapters(*_: object) -> tuple[None, None, SimpleNamespace]:
        return None, None, SimpleNamespace(holdout_every=held["adapters"])

    monkeypatch.setattr(imagination, "load_world_model", lambda folder: Model())
    monkeypatch.setattr(imagination, "open_adapters", adapters)
    config = ImaginationConfig(dataset=tmp_path, out=tmp_path, threads=1)
    for part in held:
        held.update({"world model": 10, "adapters": 10, part: 7})
        with pytest.raises(TrainingError, match=rf"--holdout-every 10, but the {part} in .* was trained with .* 7:"):
            measure_imagination(config)


def test_the_figure_shows_every_source(tmp_path: Path) -> None:
    report = json.loads(json.dumps(summary(told(0.1))))
    write_curves(tmp_path / "figure.png", report)
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_codes_are_read_out_by_a_map_that_never_saw_the_clip() -> None:
    generator = torch.Generator().manual_seed(1)
    recorded = torch.randn(60, PLACES, CODE, generator=generator)
    way = torch.randn(CODE, STEPS * ENTRIES, generator=generator)
    expert = (3.0 * recorded @ way + 0.5).unflatten(2, (STEPS, ENTRIES))
    mask, seeds = torch.ones(60, PLACES, dtype=torch.bool), range(60)
    torch.testing.assert_close(read_out(recorded, expert, mask, seeds), expert, rtol=1e-4, atol=1e-3)
    # An odd clip's answer hangs on the even clips alone.
    spoilt = expert.clone()
    spoilt[1::2] = 100.0
    torch.testing.assert_close(read_out(recorded, spoilt, mask, seeds)[1::2], expert[1::2], rtol=1e-4, atol=1e-3)
