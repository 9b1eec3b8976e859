"""From the world model's latent cache to pairs of one moment: its windows, its padding, its prompts, its VAE."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from training.alignment.actions import read_actions
from training.alignment.batches import BatchSource
from training.alignment.cached import CachedClips, task_of
from training.alignment.config import AdapterConfig, AlignConfig, ObjectiveChanges, ScheduleChanges
from training.alignment.index import build_index
from training.alignment.load import load_adapters
from training.alignment.train import RESULT, align
from training.common.errors import CheckpointError, DatasetError, TrainingError
from training.tests.synthetic_clock import CHUNK, clock_dataset, numbers_said, numbers_shown, oracle_latents, tiny_align

latents_module = pytest.importorskip("training.world_model.latents")


class OracleVae:
    """Stands in for the world model's VAE: causal, and keeps the frame number readable."""

    hash = "oracle" * 8
    holdout_every: int | None = 6

    def to(self, device: torch.device) -> OracleVae:
        return self

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        scene = frames[:, :, :, : frames.shape[3] // 2]  # the views lie side by side
        return torch.stack([oracle_latents(clip.numpy()) for clip in scene]) / 255.0


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(dataset, cache): clips of several lengths, among them one much shorter than a window of 25 frames."""
    dataset = clock_dataset(tmp_path_factory.mktemp("clock"), (40, 33, 11, 27, 30, 29))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents_module, "load_vae", lambda folder: OracleVae())
        config = latents_module.LatentsConfig(dataset=dataset, preset="tiny", frames=25, stride=5, minimum=17)
        return dataset, latents_module.build_latents(config)


def test_cached_windows_and_actions_are_of_one_moment(cached: tuple[Path, Path]) -> None:
    dataset, cache = cached
    clips, actions = CachedClips(cache, dataset), read_actions(dataset)
    assert clips.chunks == 6 and len(clips) > 12 and clips.vae == OracleVae.hash
    assert {clips.info(i).task for i in range(len(clips))} == {"pick up the red cube"}
    source = BatchSource(clips, actions, build_index(clips, CHUNK, 0, 0), AdapterConfig(), 0)
    for number in range(5):
        pairs = source.batch(0, 0, number, 6, 3)
        shown = numbers_shown(pairs.latents * 255)[:, 1:]
        agree = (shown == numbers_said(pairs.actions, actions.contract) + 1).all(-1)
        assert agree[pairs.paired].all()
        assert not agree[~pairs.paired].any()  # nothing that is real is masked out
    assert not pairs.paired.all()


def test_align_runs_on_a_cache_and_its_adapters_belong_to_that_vae(cached: tuple[Path, Path], tmp_path: Path) -> None:
    dataset, cache = cached
    config = tiny_align(
        tmp_path,
        0,
        latents=cache,
        dataset=dataset,
        schedule=ScheduleChanges(steps=2, batch=4),
        action_chunks=8,
        holdout_every=6,
        objective=ObjectiveChanges(hard_share=0.5),
    )
    folder = align(config)
    _, _, info = load_adapters(folder, read_actions(dataset).contract, OracleVae.hash)
    assert info.step == 2
    with pytest.raises(CheckpointError, match="aligned with latents of VAE oracle.*are of VAE cafe"):
        load_adapters(folder, vae="cafe")


def test_latents_of_another_dataset_or_vae_are_refused(
    cached: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, cache = cached
    other = clock_dataset(tmp_path / "other", (30, 30))
    with pytest.raises(DatasetError, match=r"were made from dataset \w{12} .*, .*other is \w{12}"):
        CachedClips(cache, other)
    with pytest.raises(DatasetError, match="holds no latents"):
        CachedClips(tmp_path, dataset)
    # The same run continued with latents of another VAE.
    config = tiny_align(tmp_path / "run", 1, latents=cache, dataset=dataset, holdout_every=6)
    align(config)
    meta = json.loads((cache / "meta.json").read_text())
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in cache.glob("shard-*"):
        (changed / path.name).symlink_to(path)
    (changed / "meta.json").write_text(json.dumps(meta | {"vae_sha256": "cafe"}))
    with pytest.raises(CheckpointError, match="'vae': \\('oracle.*'cafe'\\).*choose another --out"):
        align(tiny_align(tmp_path / "run", 2, latents=changed, dataset=dataset, holdout_every=6))


def test_latents_imagined_anew_and_another_hold_out_are_refused(cached: tuple[Path, Path], tmp_path: Path) -> None:
    dataset, cache = cached
    meta = json.loads((cache / "meta.json").read_text())

    def copy(name: str, **changes: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for path in cache.glob("shard-*"):
            (folder / path.name).symlink_to(path)
        (folder / "meta.json").write_text(json.dumps(meta | changes))
        return folder

    def config(latents: Path, steps: int = 1, **changes: object) -> AlignConfig:
        return tiny_align(tmp_path / "run", steps, latents=latents, dataset=dataset, **{"holdout_every": 6, **changes})

    first = copy("first", imagined_seed=0)
    align(config(first))
    before = (tmp_path / "run" / RESULT).read_bytes()
    # Finished: there is no step left, so nothing would come of another cache but its name.
    with pytest.raises(CheckpointError, match=r"another run.*'latents': \('\w{12}', '\w{12}'\).*another --out"):
        align(config(copy("second", imagined_seed=1)))
    for schedule, said in (
        (ScheduleChanges(steps=2, batch=4), r"'schedule.batch': \(8, 4\)"),
        (ScheduleChanges(steps=1, learning_rate=1e-5), r"'schedule.learning_rate'"),
    ):
        with pytest.raises(CheckpointError, match=said):
            align(config(first, schedule=schedule))
    with pytest.raises(TrainingError, match=r"--holdout-every 5, but what made the latents in .*first was .* 6:"):
        align(config(first, holdout_every=5))
    assert (tmp_path / "run" / RESULT).read_bytes() == before
    # The same latents elsewhere, and from before their cache said what was held out.
    del meta["holdout_every"]
    more = ScheduleChanges(steps=2, learning_rate=1e-5)
    last = align(config(copy("moved", imagined_seed=0, dataset="elsewhere"), schedule=more))
    assert last.name == "step-00000002"
    with pytest.raises(CheckpointError, match=r"'schedule.steps': \(2, 1\)"):
        align(config(first))
    # A checkpoint from before it was kept which latents it was trained on is taken as it is.
    info = json.loads((last / "checkpoint.json").read_text())
    del info["latents"]
    (last / "checkpoint.json").write_text(json.dumps(info))
    assert align(config(copy("third", imagined_seed=2), schedule=more)) == last


def test_wording_does_not_make_another_task() -> None:
    row = {"skills": ["pick up the can", "place the can in the bin"], "tasks": ["bin the can"]}
    assert task_of(row) == "pick up the can; place the can in the bin"
    assert task_of({"skills": [], "tasks": ["bin the can"]}) == task_of({"tasks": ["bin the can"]}) == "bin the can"
