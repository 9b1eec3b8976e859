"""Training the adapters: it aligns, it notices a shift, it continues, several processes agree, and it exports."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from training.alignment.adapters import Aligner
from training.alignment.batches import BatchSource
from training.alignment.config import AdapterConfig, AlignConfig, ObjectiveChanges, ScheduleChanges
from training.alignment.evaluate import evaluate
from training.alignment.export import export_action_adapter, export_video_adapter
from training.alignment.index import build_index
from training.alignment.load import load_adapters
from training.alignment.score import AlignmentScorer, alignment_score
from training.alignment.train import RESULT, align_clips
from training.alignment.trainer import Trainer
from training.common.action_scale import ActionScale
from training.common.checkpoint import latest_checkpoint, read_info, read_tensors
from training.common.errors import CheckpointError, DatasetError, ExportError
from training.common.workers import Workers
from training.export.onnx_tools import infer
from training.tests.synthetic_clock import CHUNK, clock_clips, tiny_align
from world2act_core.tabletop import tabletop_contract

CPU = torch.device("cpu")


def aligner_of(folder: Path) -> Aligner:
    info = read_info(folder)
    aligner = Aligner(AdapterConfig(**info["adapters"]), 7)
    aligner.load_state_dict(read_tensors(folder, "adapters"))
    return aligner


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapters trained on the clock; the run's folder."""
    out = tmp_path_factory.mktemp("align")
    schedule = ScheduleChanges(steps=60, batch=12, per_task=3, learning_rate=4e-3)
    align_clips(tiny_align(out, 0, schedule=schedule), *clock_clips(episodes=40))
    return out


def test_aligned_clips_retrieve_and_clips_shifted_by_one_chunk_do_not(trained: Path) -> None:
    aligner = aligner_of(latest_checkpoint(trained))
    found = {}
    for shift in (-CHUNK, 0, CHUNK):
        clips, actions = clock_clips(episodes=40, shift=shift) if shift >= 0 else late_pictures()
        index = build_index(clips, CHUNK, 0, 5)
        found[shift] = evaluate(aligner, BatchSource(clips, actions, index, AdapterConfig(), 0), 64, CPU)
    aligned, early, late = found[0], found[CHUNK], found[-CHUNK]
    assert aligned is not None and early is not None and late is not None
    assert aligned.shifts.best == 0 and aligned.retrieval.within_top1.rate > 0.8
    assert aligned.retrieval.within_top1.interval[0] > 3 * aligned.retrieval.within_top1.chance
    assert early.shifts.best == 1 and late.shifts.best == -1
    for wrong in (early, late):
        assert wrong.retrieval.within_top1.rate < 0.2 and wrong.score < aligned.score - 0.3


def late_pictures():  # type: ignore[no-untyped-def]
    """Aligned clips whose latents are then moved one place on: latent k shows what latent k - 1 should."""
    from training.alignment.clips import MemoryClips

    clips, actions = clock_clips(episodes=40)
    latents = torch.stack([clips.latents(i) for i in range(len(clips))])
    moved = torch.cat([latents[:, :, :1], latents[:, :, :1], latents[:, :, 1:-1]], dim=2)
    return MemoryClips([clips.info(i) for i in range(len(clips))], moved, clips.vae), actions


def test_the_result_file_says_what_was_measured(trained: Path) -> None:
    result = json.loads((trained / RESULT).read_text())
    top1 = result["retrieval"]["top1"]
    assert top1["n"] > 40 and top1["chance"] == pytest.approx(1 / top1["n"])
    assert top1["interval"][0] <= top1["rate"] == top1["hits"] / top1["n"] <= top1["interval"][1]
    assert result["shift_profile"]["best_shift"] == 0
    assert result["steps"] == 60 and result["vae"] == "clock-vae" and result["objective"]["negatives"] == 16


@pytest.mark.parametrize("preset", ["paper", "released-code"])
def test_two_steps_and_two_more_equal_four(tmp_path: Path, preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = clock_clips(episodes=12)
    whole = align_clips(tiny_align(tmp_path / "whole", 4, preset=preset), *data)
    halves = tiny_align(tmp_path / "halves", 4, preset=preset)
    advance = Trainer.advance

    def stop_after_two(trainer: Trainer, batch: object) -> object:
        result = advance(trainer, batch)  # type: ignore[arg-type]
        if trainer.step == 2:
            signal.raise_signal(signal.SIGTERM)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", stop_after_two)
        assert read_info(align_clips(halves, *data))["step"] == 2
        assert not (halves.out / RESULT).exists()
    resumed = align_clips(halves, *data)
    for group in ("adapters", "optimiser"):
        first, second = read_tensors(whole, group), read_tensors(resumed, group)
        assert first.keys() == second.keys() and len(first) > 10
        for name in first:
            torch.testing.assert_close(second[name], first[name], rtol=0, atol=0, msg=f"{group} {name}")


def test_ablations_start_from_the_same_weights_and_see_the_same_batches(tmp_path: Path) -> None:
    data = clock_clips(episodes=12)
    losses, starts = {}, []
    for name in ("both", "video-to-action", "action-to-video", "global"):
        changes = ObjectiveChanges(granularity="global") if name == "global" else ObjectiveChanges(direction=name)  # type: ignore[arg-type]
        config = tiny_align(tmp_path / name, 4, objective=changes)
        source = BatchSource(*data, build_index(data[0], CHUNK, 0, 5), AdapterConfig(), 0)
        trainer = Trainer(config, AdapterConfig(), source, Workers(0, 1, CPU))
        starts.append(torch.cat([p.detach().flatten() for p in trainer.aligner.parameters()]))
        losses[name] = trainer.loss(source.batch(0, 0, 0, 8, 2))[1]
    assert all(torch.equal(start, starts[0]) for start in starts)
    one, other = losses["video-to-action"]["contrast"], losses["action-to-video"]["contrast"]
    torch.testing.assert_close(losses["both"]["contrast"], (one + other) / 2)
    for parts in losses.values():
        assert torch.equal(parts["negative_reconstruction"], losses["both"]["negative_reconstruction"])
    assert len({round(float(parts["contrast"]), 5) for parts in losses.values()}) == 4


TWO_RANKS = """
import sys
from pathlib import Path
from training.alignment.train import align_clips
from training.tests.synthetic_clock import clock_clips, tiny_align
align_clips(tiny_align(Path(sys.argv[1]), 1), *clock_clips(episodes=12))
"""


@pytest.mark.long
def test_two_processes_take_the_mean_gradient_of_their_own_batches(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    environments = [os.environ | place | {"RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1")]
    command = [sys.executable, "-c", TWO_RANKS, str(tmp_path / "two")]
    processes = [subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) for env in environments]
    data = clock_clips(episodes=12)
    config = tiny_align(tmp_path / "one", 1)
    source = BatchSource(*data, build_index(data[0], CHUNK, 0, 5), AdapterConfig(), 0)
    trainers = [Trainer(config, AdapterConfig(), source, Workers(rank, 1, CPU)) for rank in (0, 1)]
    for rank, trainer in enumerate(trainers):
        trainer.loss(source.batch(0, rank, 0, 8, 2))[0].backward()  # type: ignore[no-untyped-call]
    parameters = dict(trainers[0].aligner.named_parameters())
    for parameter, other in zip(parameters.values(), trainers[1].aligner.parameters(), strict=True):
        assert parameter.grad is not None and other.grad is not None
        assert not torch.equal(parameter.grad, other.grad)
        parameter.grad.add_(other.grad).div_(2)
    torch.nn.utils.clip_grad_norm_(list(parameters.values()), 1.0)
    # Adam's first step hides a gradient's size; its first moment, 0.1 of the clipped gradient, does not.
    assert [process.wait(timeout=240) for process in processes] == [0, 0]
    moments = read_tensors(latest_checkpoint(tmp_path / "two"), "optimiser")
    for name, parameter in parameters.items():
        torch.testing.assert_close(moments[f"{name}|exp_avg"], 0.1 * parameter.grad, rtol=1e-4, atol=1e-8)
    assert read_info(latest_checkpoint(tmp_path / "two"))["rng"]["world"] == 2


def test_a_checkpoint_of_another_run_contract_or_vae_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="temperature.*0.1.*0.3.*choose another --out"):
        align_clips(tiny_align(trained, 300, objective=ObjectiveChanges(temperature=0.3)), *clock_clips(episodes=40))
    contract = tabletop_contract()
    _, _, info = load_adapters(trained, tabletop_contract(image_size=64), "clock-vae")
    assert info.step == 60 and info.vae == "clock-vae" and info.contract == contract
    with pytest.raises(CheckpointError, match="of VAE clock-vae, the latents at hand are of VAE other-vae"):
        load_adapters(trained, contract, "other-vae")
    with pytest.raises(CheckpointError, match=r"robot: this run has UR5e, the adapters in .* has Panda"):
        load_adapters(trained, tabletop_contract(robot="UR5e"))
    wide = contract.action[0].model_copy(update={"low": (-0.1,) * 3, "high": (0.1,) * 3})
    other = contract.model_copy(update={"action": (wide, *contract.action[1:])})
    with pytest.raises(CheckpointError, match=r"action.delta_position.high.*0\.1.*0\.05"):
        load_adapters(trained, other)
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        load_adapters(tmp_path)


def test_no_hard_negative_anywhere_is_an_error(tmp_path: Path) -> None:
    clips, actions = clock_clips(episodes=6, tasks=6)
    with pytest.raises(DatasetError, match="no task of the dataset has two training demonstrations"):
        align_clips(tiny_align(tmp_path, 1), clips, actions)
    align_clips(tiny_align(tmp_path, 1, objective=ObjectiveChanges(hard_share=0.0)), clips, actions)


def test_loaded_adapters_are_frozen_and_score_what_was_done(trained: Path) -> None:
    video, action, info = load_adapters(trained)
    assert not any(p.requires_grad for p in (*video.parameters(), *action.parameters()))
    clips, actions = clock_clips(episodes=40)
    window = clips.info(9)
    chunks = torch.from_numpy(actions.chunks(window.episode, window.start, 6, CHUNK))
    scorer = AlignmentScorer(video, action, info.scale, clips.latents(9), valid=5)
    assert scorer.score is None
    right = [scorer.add(info.scale.restore(chunk)) for chunk in chunks]
    assert right[5] is None and None not in right[:5]
    codes, done = video(clips.latents(9)[None]), action.encode(chunks[None])
    mask = torch.arange(6)[None] < 5
    assert scorer.score == pytest.approx(float(alignment_score(codes, done, mask)), abs=1e-5)
    assert scorer.score > float(alignment_score(codes, done.roll(1, dims=1), mask)) + 0.3
    by_hand = [
        float(np.dot(v, a) / np.linalg.norm(v) / np.linalg.norm(a)) for v, a in zip(codes[0].numpy(), done[0].numpy())
    ]
    assert float(alignment_score(codes, done)) == pytest.approx(np.mean(by_hand), abs=1e-5)
    assert torch.isnan(alignment_score(codes, done, torch.zeros(1, 6, dtype=torch.bool)))


def test_exported_encoders_answer_as_torch_does(trained: Path, tmp_path: Path) -> None:
    video, action, info = load_adapters(trained)
    paths = tmp_path / "video.onnx", tmp_path / "action.onnx"
    assert export_video_adapter(video, (4, 8), paths[0]) < 1e-4
    assert export_action_adapter(action, info.scale, paths[1]) < 1e-4
    generator = torch.Generator().manual_seed(7)
    latents, chunks = torch.randn(3, 16, 8, 4, 8, generator=generator), torch.randn(3, 5, 4, 7, generator=generator)
    codes = infer(paths[0], {"latents": latents.numpy()})["codes"]
    np.testing.assert_allclose(codes, video(latents).numpy(), atol=1e-4)
    robot = ActionScale(info.contract).restore(chunks)
    codes = infer(paths[1], {"actions": robot.numpy()})["codes"]
    np.testing.assert_allclose(codes, action.encode(chunks).numpy(), atol=1e-4)


def test_a_graph_of_other_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.alignment import export as module
    from training.alignment.adapters import ActionAdapter

    adapter = ActionAdapter().eval()
    written = tmp_path / "action.onnx"

    def write_nothing(*arguments: object) -> None:
        written.write_bytes(b"")

    monkeypatch.setattr(module, "onnx_from_torch", write_nothing)
    monkeypatch.setattr(module, "infer", lambda path, inputs: {"codes": np.ones((*inputs["actions"].shape[:2], 32))})
    with pytest.raises(ExportError, match=r"differs from torch by .* it was removed"):
        export_action_adapter(adapter, ActionScale(tabletop_contract()), written)
    assert not written.exists()


def test_the_config_is_frozen_and_hashable() -> None:
    config = AlignConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]
    hash(config)
