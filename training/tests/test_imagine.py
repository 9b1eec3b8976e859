"""Imagining: once per initial state, in whole shards, never mixed; codes find their chunks."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.common.errors import DatasetError, TrainingError
from training.post_training.imagine import ImagineConfig, imagine_states, write_preview
from training.post_training.imagined import META, ImaginedLatents
from training.post_training.initial_states import StartsConfig, candidate_states
from training.post_training.parts import WorldModelImagination
from training.tests.synthetic_post_training import (
    CHUNKS,
    TinyImagination,
    TinyVideoAdapter,
    grey_pictures,
    imagined_run,
)


def test_states_are_whole_shards_and_seeds_that_fail_are_skipped(tmp_path: Path) -> None:
    store = imagined_run(tmp_path, count=6)
    assert len(store) == 8  # two shards of four
    assert [state.seed - 2_000_000 for state in store.states] == [0, 1, 2, 3, 4, 6, 7, 8]
    assert [state.kind for state in store.states][:2] == ["pick", "composite"]
    assert store.states[0].prompts[0].startswith("pick up the ") and len(store.states[1].prompts) >= 2
    for number, state in enumerate(store.states):
        assert store.latents(number).shape == (len(state.prompts), 16, 1 + CHUNKS, 2, 4)
    meta = json.loads((tmp_path / META).read_text())
    assert meta["origin"]["world_model"] == "a" * 64 and meta["origin"]["vae"] == "0" * 64 and meta["commit"]


def test_more_states_keep_what_is_there(tmp_path: Path) -> None:
    imagined_run(tmp_path / "grown", count=4)
    before = (tmp_path / "grown" / "latents-00000.safetensors").read_bytes()
    grown = imagined_run(tmp_path / "grown", count=12)
    assert (tmp_path / "grown" / "latents-00000.safetensors").read_bytes() == before
    at_once = imagined_run(tmp_path / "at-once", count=12)
    assert grown.states == at_once.states
    assert all(torch.equal(grown.latents(n), at_once.latents(n)) for n in range(12))


def test_another_world_model_or_setting_is_refused(tmp_path: Path) -> None:
    imagined_run(tmp_path)
    config = ImagineConfig(out=tmp_path, shard_size=4, starts=StartsConfig(kinds=("pick", "composite")))
    with pytest.raises(DatasetError, match=r"imagined otherwise.*world_model.*aaaa.*bbbb"):
        imagine_states(config, TinyImagination("b"), grey_pictures)
    with pytest.raises(DatasetError, match=r"'windows': \(1, 2\)"):
        imagine_states(replace(config, windows=2), TinyImagination(), grey_pictures)
    with pytest.raises(DatasetError, match="run `training imagine` first"):
        ImaginedLatents(tmp_path / "nothing")
    with pytest.raises(TrainingError, match="no initial states for"):
        next(candidate_states(StartsConfig(kinds=("fly",)), "skill"))


def test_pictures_of_another_robot_are_not_mixed_in(tmp_path: Path) -> None:
    assert imagined_run(tmp_path, count=4).robot == "Panda"
    with pytest.raises(DatasetError, match=r"imagined otherwise.*'robot': \('Panda', 'UR5e'\)"):
        imagined_run(tmp_path, count=8, robot="UR5e")
    # What was imagined before it was kept goes on.
    meta = json.loads((tmp_path / META).read_text())
    del meta["robot"]
    (tmp_path / META).write_text(json.dumps(meta))
    assert ImaginedLatents(tmp_path).robot is None and len(imagined_run(tmp_path, count=8)) == 8


def test_damaged_latents_are_named(tmp_path: Path) -> None:
    store = imagined_run(tmp_path)
    shard = tmp_path / "latents-00001.safetensors"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    assert len(store.codes(TinyVideoAdapter(), 4).codes) == 4
    for read in (lambda: store.codes(TinyVideoAdapter(), 8), lambda: store.latents(5)):
        with pytest.raises(DatasetError, match=r"cannot read .*latents-00001.*run `training imagine` again"):
            read()
    shard.write_bytes((tmp_path / "latents-00000.safetensors").read_bytes())
    with pytest.raises(DatasetError, match=r"latents-00001.safetensors lacks state-000004"):
        store.codes(TinyVideoAdapter(), 8)
    (tmp_path / META).write_text("{")
    with pytest.raises(DatasetError, match=r"cannot read .*imagined\.json"):
        ImaginedLatents(tmp_path)


def test_codes_of_skills_and_chunks(tmp_path: Path) -> None:
    store = imagined_run(tmp_path, windows=2)
    codes = store.codes(TinyVideoAdapter(), 4)
    assert codes.chunks == 2 * CHUNKS and codes.parts == max(len(state.prompts) for state in store.states[:4])
    # Composite state 1: the second skill's chunk 4 is chunk 1 of the second window imagined for that skill.
    latent = store.latents(1)[2 * 1 + 1, :, 1 + (4 - CHUNKS)]
    expected = latent.mean(dim=(-2, -1)).repeat(2)
    slot = codes.slot(1, skill=1, chunk_in_skill=4, chunk_in_episode=17)
    assert slot == 1 * codes.chunks + 4
    torch.testing.assert_close(codes.table([0, 1])[1, slot], expected)
    assert codes.slot(0, 1, 0, 9) is None and codes.slot(0, 0, codes.chunks, 0) is None
    assert not codes.table([0])[0, codes.chunks :].any()
    with pytest.raises(TrainingError, match="asks for more than the 8"):
        store.codes(TinyVideoAdapter(), 9)


def test_whole_episodes_count_chunks_from_the_start(tmp_path: Path) -> None:
    store = imagined_run(tmp_path, prompts="instruction")
    assert all(len(state.prompts) == 1 for state in store.states)
    codes = store.codes(TinyVideoAdapter(), 4)
    assert codes.slot(1, skill=1, chunk_in_skill=0, chunk_in_episode=2) == 2


def test_windows_repeat_the_prompt(tmp_path: Path) -> None:
    model = TinyImagination()
    config = ImagineConfig(out=tmp_path, count=2, shard_size=2, windows=2, starts=StartsConfig(kinds=("pick",)))
    imagine_states(config, model, grey_pictures)
    ((first, second),) = model.calls
    assert len(first) == 2 and first[0] == first[1] and len(second) == 2


def test_preview_is_a_video(tmp_path: Path) -> None:
    imagined_run(tmp_path)
    write_preview(tmp_path, TinyImagination(), 1)
    from training.data.video import decode_frames

    (path,) = tmp_path.glob("preview-*.mp4")
    assert len(list(decode_frames(path))) == 1 + 4 * CHUNKS


def test_states_follow_from_their_number() -> None:
    config = StartsConfig(splits=("seen", "light"))
    some = dict(itertools.islice(candidate_states(config, "skill"), 12))
    assert dict(itertools.islice(candidate_states(config, "skill", 5), 3)) == {n: some[n] for n in (5, 6, 7)}
    assert [some[n].split for n in (0, 3, 4, 7, 8)] == ["seen", "seen", "light", "light", "seen"]


class _Model:
    """A world model whose latents say which prompt and which first frame made them."""

    class info:
        frames = 5

    class vae:
        hash = "v"

    transformer = torch.nn.Linear(1, 1)

    def __init__(self) -> None:
        self.seen: list[tuple[int, list[str]]] = []

    def generate(
        self, first: torch.Tensor, prompts: list[str], steps: int | None, generator: torch.Generator
    ) -> torch.Tensor:
        assert first.dtype == torch.uint8 and len(first) == len(prompts)
        self.seen += [(int(frame.flatten()[0]), text) for frame, text in zip(first, prompts)]
        values = torch.tensor([float(frame.flatten()[0]) + len(text) for frame, text in zip(first, prompts)])
        return values[:, None, None, None, None].expand(-1, 16, 2, 1, 1).clone()

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents[:, :1, :1, :, :].to(torch.uint8).expand(-1, 5, 8, 8, 3)


def test_each_sub_video_starts_from_the_last_frame_of_the_one_before() -> None:
    model = _Model()
    imagination = WorldModelImagination(model)
    first = np.stack([np.full((8, 8, 3), value, np.uint8) for value in (10, 20, 30)])
    prompts = [["a"], ["bb", "ccc", "d"], ["e", "ff"]]
    windows = imagination.imagine(first, prompts, torch.Generator())
    assert [len(window) for window in windows] == [1, 3, 2]
    assert model.seen == [(10, "a"), (20, "bb"), (30, "e"), (22, "ccc"), (31, "ff"), (25, "d")]
    assert windows[1][:, 0, 0, 0, 0].tolist() == [22.0, 25.0, 26.0]
