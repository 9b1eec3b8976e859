"""Training: a run that is cut in two equals one in one piece; killed runs continue; batches mean what they say."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from training.common.checkpoint import INFO, checkpoints, latest_checkpoint, read_info, read_tensors
from training.common.contracts import require_same_contract
from training.common.errors import CheckpointError
from training.data.cache import FrameCache
from training.data.lerobot_reader import LeRobotReader
from training.tests.synthetic import COLOURS
from training.tests.synthetic_run import TEXT_ENCODER, tiny_cache, tiny_config
from training.vla.config import TINY_MODEL, SamplingConfig, VlaTrainConfig
from training.vla.index import _is_occupied, build_index
from training.vla.train import train
from world2act_core.contract import Contract
from world2act_core.skill import Skill


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cache(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_two_steps_and_two_more_equal_four(cache: Path, tmp_path: Path) -> None:
    config = tiny_config(cache, tmp_path / "whole", 4)
    whole = train(config)
    # The schedule must be the long run's: stop the first half by hand, as a kill would, not by a shorter --steps.
    halves = dataclasses.replace(config, out=tmp_path / "halves")
    _train_until(halves, 2)
    assert read_info(latest_checkpoint(halves.out))["step"] == 2
    resumed = train(halves)
    for group in ("model", "average", "optimiser"):
        first, second = read_tensors(whole, group), read_tensors(resumed, group)
        assert first.keys() == second.keys()
        for name in first:
            torch.testing.assert_close(second[name], first[name], rtol=0, atol=0, msg=f"{group} {name}")


def test_training_learns_the_synthetic_task(cache: Path, tmp_path: Path) -> None:
    from training.vla.losses import batch_loss
    from training.vla.train import load_trained

    model, _ = load_trained(train(tiny_config(cache, tmp_path, 60, learning_rate=3e-3, ema=0.9)))
    untrained, _ = load_trained(train(tiny_config(cache, tmp_path / "short", 1, learning_rate=1e-9)))
    batch = _source(cache).batch(10_000)
    config = tiny_config(cache, tmp_path, 1).loss
    with torch.no_grad():
        after = batch_loss(model, batch, config, torch.Generator().manual_seed(0))[0]
        before = batch_loss(untrained, batch, config, torch.Generator().manual_seed(0))[0]
    assert float(after) < 0.8 * float(before)


@pytest.mark.long
def test_sigterm_saves_and_the_run_continues(cache: Path, tmp_path: Path) -> None:
    arguments = ["--cache", cache, "--out", tmp_path, "--text-encoder", TEXT_ENCODER, "--batch", 8, "--minutes", 5]
    arguments += ["--no-bf16", "--threads", 1, "--log-every", 1, "--model.channels", 8, 8, 16, "--model.context", 32]
    command = [sys.executable, "-m", "training", "vla", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("step"):
            break
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    assert process.wait(timeout=60) == 0, rest
    info = read_info(latest_checkpoint(tmp_path))
    assert info["step"] >= 1 and info["seconds"] < 300


KILLED_IN_STEP_FOUR = """
import os, signal, sys
from pathlib import Path
from training.tests.synthetic_run import tiny_config
from training.vla import train as module
advance = module.Trainer.advance
def killed(trainer, batch):
    result = advance(trainer, batch)
    if trainer.step == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
module.Trainer.advance = killed
module.train(tiny_config(Path(sys.argv[1]), Path(sys.argv[2]), 6, checkpoint_minutes=0.0))
"""


def test_a_killed_run_continues_as_if_nothing_had_happened(cache: Path, tmp_path: Path) -> None:
    config = tiny_config(cache, tmp_path / "killed", 6, checkpoint_minutes=0.0)
    command = [sys.executable, "-c", KILLED_IN_STEP_FOUR, str(cache), str(config.out)]
    assert subprocess.run(command, stdout=subprocess.DEVNULL, timeout=200).returncode == -signal.SIGKILL
    assert read_info(latest_checkpoint(config.out))["step"] == 3
    continued = train(config)
    whole = train(dataclasses.replace(config, out=tmp_path / "whole", checkpoint_minutes=9.0))
    for group in ("model", "average", "optimiser"):
        first, second = read_tensors(whole, group), read_tensors(continued, group)
        assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_sigkill_leaves_a_whole_checkpoint(cache: Path, tmp_path: Path) -> None:
    train(tiny_config(cache, tmp_path, 2))
    (tmp_path / ".step-00000003.tmp").mkdir()
    (tmp_path / ".step-00000003.tmp" / "model.safetensors").write_bytes(b"half")
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002"]
    assert train(tiny_config(cache, tmp_path, 3)).name == "step-00000003"


def test_a_checkpoint_of_another_contract_is_refused_with_what_differs(cache: Path, tmp_path: Path) -> None:
    folder = train(tiny_config(cache, tmp_path / "theirs", 1))
    text = json.loads((folder / INFO).read_text())
    contract = Contract.from_text(text["contract"])
    wide = contract.action[0].model_copy(update={"low": (-0.1,) * 3, "high": (0.1,) * 3})
    other = contract.model_copy(update={"robot": "UR5e", "action": (wide, *contract.action[1:])})
    (folder / INFO).write_text(json.dumps({**text, "contract": other.to_text()}))
    differs = r"another contract than the cache has \(robot: UR5e there, Panda now; action.delta_position.low: \[-0.1.*"
    with pytest.raises(CheckpointError, match=differs + "choose another --out"):
        train(tiny_config(cache, tmp_path / "theirs", 2))
    with pytest.raises(CheckpointError, match=differs + "choose another --init, or none"):
        train(dataclasses.replace(tiny_config(cache, tmp_path / "ours", 1), init=tmp_path / "theirs"))
    turned = contract.model_copy(update={"cameras": contract.cameras[::-1]})
    with pytest.raises(CheckpointError, match="another order"):
        require_same_contract(folder, turned, contract, "the cache", "choose another --out")
    require_same_contract(folder, contract, contract, "the cache", "choose another --out")


def test_other_model_and_damaged_checkpoint_are_refused(cache: Path, tmp_path: Path) -> None:
    folder = train(tiny_config(cache, tmp_path, 1))
    other = dataclasses.replace(tiny_config(cache, tmp_path, 2), model=dataclasses.replace(TINY_MODEL, context=48))
    with pytest.raises(CheckpointError, match=r"context.*32.*48"):
        train(other)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        train(tiny_config(cache, tmp_path, 2))


def test_chunks_hold_after_the_skill_ends(cache: Path) -> None:
    frames = FrameCache(cache)
    index = build_index(LeRobotReader(frames.dataset), len(frames), frames.contract, SamplingConfig())
    last = np.array([index.stop[index.frames[0]] - 3])
    chunk = index.chunks(last, 8, frames.contract)[0]
    np.testing.assert_array_equal(chunk[:3], index.action[last[0] : last[0] + 3])
    assert not chunk[3:, :6].any()
    assert (chunk[3:, 6] == index.action[last[0] + 2, 6]).all()


def test_batches_are_a_function_of_seed_and_number(cache: Path) -> None:
    first, again = _source(cache).batch(3), _source(cache).batch(3)
    assert torch.equal(first.images["scene"], again.images["scene"])
    assert torch.equal(first.chunk, again.chunk) and torch.equal(first.text, again.text)
    assert not torch.equal(first.chunk, _source(cache).batch(4).chunk)
    assert first.images["wrist"].shape == (8, 32, 32, 3)
    assert torch.isnan(first.positions[:, 3:]).all() and not torch.isnan(first.positions[:, :3]).any()


def test_pointers_are_told_where_the_target_is_seen(cache: Path) -> None:
    batch = _source(cache).batch(0)
    assert set(batch.seen) == {"scene", "wrist"}
    colours = np.array(list(COLOURS.values()))
    names = [entry.name for entry in FrameCache(cache).contract.vocabulary.objects]
    for camera, places in batch.seen.items():
        assert torch.isnan(places[:, 1]).all()  # a pick has no support
        for picture, place, target in zip(batch.images[camera].numpy(), places[:, 0].numpy(), batch.labels[:, 1]):
            column, row = (place * 32).astype(int)
            nearest = np.abs(colours - picture[row, column]).sum(axis=1).argmin()
            assert list(COLOURS)[nearest] == names[int(target)]


def test_placing_where_something_lies_already_is_drawn_more_often() -> None:
    put_can, put_milk = Skill("place", "can", "bin"), Skill("place", "milk carton", "bin")
    assert _is_occupied(put_can, [put_milk])
    assert not _is_occupied(put_can, [Skill("place", "milk carton", "plate"), Skill("pick", "can")])
    assert not _is_occupied(Skill("stack", "red cube", "blue cube"), [put_milk])


def test_configs_are_frozen() -> None:
    config = VlaTrainConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.batch = 1  # type: ignore[misc]
    hash(config)


def _source(cache: Path):  # type: ignore[no-untyped-def]
    from training.vla.batches import BatchSource
    from training.vla.config import AugmentConfig
    from training.vla.text import embed_skills

    frames = FrameCache(cache)
    index = build_index(LeRobotReader(frames.dataset), len(frames), frames.contract, SamplingConfig())
    texts = embed_skills(index.skills, TEXT_ENCODER, 2, 0)
    return BatchSource(frames, index, texts, SamplingConfig(), AugmentConfig(), 8, 0)


def _train_until(config: VlaTrainConfig, steps: int) -> None:
    """Train and stop after ``steps`` steps, with the checkpoint that an interruption leaves."""
    from training.vla import train as module

    advance = module.Trainer.advance
    deadline = time.monotonic() + 60

    def stop_after(trainer: module.Trainer, batch: object) -> object:
        result = advance(trainer, batch)  # type: ignore[arg-type]
        assert time.monotonic() < deadline
        if trainer.step == steps:
            signal.raise_signal(signal.SIGTERM)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.Trainer, "advance", stop_after)
        train(config)
