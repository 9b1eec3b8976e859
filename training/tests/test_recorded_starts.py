"""The scripted expert in the place of a world model: real physics, the right pictures in the right windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from training.common.errors import DatasetError
from training.data.demonstration import record_demonstration
from training.post_training.imagine import ImagineConfig, imagine_states
from training.post_training.initial_states import StartsConfig, candidate_states, first_pictures
from training.post_training.recorded import UNDISTURBED, ExpertImagination
from training.tests.synthetic_post_training import CHUNKS, TinyImagination
from world2act_sim.perturbation import SPLITS
from world2act_sim.tasks import sample_task
from world2act_sim.world import TabletopWorld, WorldConfig


@pytest.fixture(scope="module")
def world() -> Iterator[TabletopWorld]:
    world = TabletopWorld(WorldConfig(image_size=64))
    yield world
    world.close()


def test_parts_begin_with_their_skills_first_picture_and_stand_still_after_its_last(world: TabletopWorld) -> None:
    model = TinyImagination(chunks=30)  # longer than any skill takes
    starts = StartsConfig(kinds=("composite",), first_seed=2_000_000)
    state = next(s for _, s in candidate_states(starts, "skill") if len(s.prompts) == 2)
    (latents,) = ExpertImagination(world, model).imagine([state], windows=1)
    assert latents.shape == (2, 16, 31, 2, 4)

    task = sample_task("composite", state.seed, "train")
    settings = {"seed": state.seed, "kind": "composite", "split": "seen", "done_frames": 6, "skill_seconds": 15.0}
    buffer, info = record_demonstration(world, task, SPLITS["seen"], UNDISTURBED, **settings)  # type: ignore[arg-type]
    assert info.success
    frames = model.pack({name: np.stack(images) for name, images in buffer.images.items()})
    grey = torch.from_numpy(frames).float().mean(dim=(1, 2, 3))
    for part, segment in enumerate(info.segments):
        stop = info.segments[part + 1].start if part == 0 else len(frames)
        values = latents[part, 0, :, 0, 0]
        assert values[0] == grey[segment.start]
        assert values[2] == pytest.approx(float(grey[segment.start + 5 : segment.start + 9].mean()), abs=1e-3)
        assert (values[-3:] - grey[stop - 1]).abs().max() < 1e-3


def test_the_first_window_goes_on_in_the_second(world: TabletopWorld) -> None:
    model = TinyImagination(chunks=2)
    state = next(s for _, s in candidate_states(StartsConfig(kinds=("pick",)), "skill"))
    (latents,) = ExpertImagination(world, model).imagine([state], windows=3)
    assert latents.shape == (3, 16, 3, 2, 4)
    assert len(latents[:, 0, 0, 0, 0].unique()) == 3  # three different first pictures
    first = torch.from_numpy(model.pack(first_pictures(world, state))).float().mean()
    assert latents[0, 0, 0, 0, 0] == first


def test_a_store_of_the_one_is_not_continued_with_the_other(world: TabletopWorld, tmp_path: Path) -> None:
    model = TinyImagination(chunks=CHUNKS)
    expert = ExpertImagination(world, model)
    config = ImagineConfig(out=tmp_path, count=1, shard_size=1, source="expert", starts=StartsConfig(kinds=("pick",)))
    store = imagine_states(
        config, model, lambda state: first_pictures(world, state), lambda states: expert.imagine(states, 1)
    )
    assert store.origin.source == "expert" and len(store) == 1 and model.calls == []
    with pytest.raises(DatasetError, match=r"'source': \('expert', 'world-model'\)"):
        imagine_states(
            ImagineConfig(out=tmp_path, shard_size=1, starts=StartsConfig(kinds=("pick",))),
            model,
            lambda state: first_pictures(world, state),
        )
