"""What both importers share: one demonstration after another, staged, packed, resumable."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from training.common.disk import write_text_atomically
from training.common.errors import DatasetError, TrainingError
from training.data import layout
from training.data.contract_file import claim_contract
from training.data.episode import EpisodeBuffer, EpisodeInfo, SkillSegment, frame_columns
from training.data.importers.hdf5_files import NoPicturesError, demonstrations, find_files, opened, recorded_rate
from training.data.lerobot_writer import discard_unfinished, read_staged, stage_episode, staged_folders
from training.data.pack import episode_rows, pack_dataset
from world2act_core.contract import CameraSpec, Contract
from world2act_core.tabletop import TEXT_ENCODER
from world2act_core.vocabulary import Vocabulary

SOURCES_PATH = "meta/sources.json"
DEMOS_PER_FILE = 100_000  # an episode's seed is its file's number times this, plus the demonstration's number
CHUNK_LENGTH, EXECUTE_STEPS = 8, 4
WHOLE = "whole"  # kind of an imported demonstration: nobody knows its skills yet


@dataclass(frozen=True)
class Demonstration:
    """One demonstration in the contract's units: T frames."""

    instruction: str
    images: dict[str, NDArray[np.uint8]]  # camera -> [T, H, W, 3] RGB, row 0 on top
    state: NDArray[np.float32]  # [T, S]
    action: NDArray[np.float32]  # [T, A]
    gripper: int  # which action entry closes the gripper (+1)
    done: NDArray[np.bool_]  # [T]


Reader = Callable[[h5py.Group], Demonstration]
ContractMaker = Callable[[dict[str, NDArray[np.uint8]]], Contract]


def import_files(source: Path, out: Path, fps: int, read: Reader, contract_of: ContractMaker) -> int:
    """Stage and pack every demonstration under ``source`` that ``out`` lacks; returns how many.

    In a folder, files without pictures are left out and named, unless there are no others.
    """
    if fps < 1:
        raise DatasetError(f"--fps is {fps}; it must be the pictures per second of the recordings, 1 or more")
    files = find_files(source)
    out.mkdir(parents=True, exist_ok=True)
    discard_unfinished(out)
    numbers = _file_numbers(out, source, files)
    done = {int(row["seed"]) for row in episode_rows(out)}
    done |= {read_staged(folder)[0].seed for folder in staged_folders(out)}
    count = 0
    without_pictures: list[NoPicturesError] = []
    try:
        with Progress() as progress:
            task = progress.add_task("import", total=len(files))
            for path in files:
                try:
                    count += _import_file(path, numbers[path], out, fps, read, contract_of, done)
                except NoPicturesError as error:
                    without_pictures.append(error)
                progress.update(task, advance=1)
                pack_dataset(out, fps, only_full=True)
    except KeyboardInterrupt:
        raise TrainingError("interrupted; what was imported is packed. Run the same command to continue") from None
    finally:
        pack_dataset(out, fps)
    if len(without_pictures) == len(files):
        raise without_pictures[0]
    print(f"{out}: {count} new demonstrations of {len(files) - len(without_pictures)} files")
    if without_pictures:
        print(f"left out: {len(without_pictures)} files without pictures. For example, {without_pictures[0]}")
    return count


def scene_contract(robot: str, cameras: tuple[CameraSpec, ...], fps: int, **dims: object) -> Contract:
    """A contract for imported data: no vocabulary, for its instructions are free text."""
    return Contract.model_validate(
        {
            "robot": robot,
            "cameras": cameras,
            "control_hz": float(fps),
            "observation_hz": float(fps),
            "chunk_length": CHUNK_LENGTH,
            "execute_steps": EXECUTE_STEPS,
            "vocabulary": Vocabulary(skills=(), objects=()),
            "text_encoder": TEXT_ENCODER,
            **dims,
        }
    )


def _import_file(
    path: Path, number: int, out: Path, fps: int, read: Reader, contract_of: ContractMaker, done: set[int]
) -> int:
    count = 0
    with opened(path) as file:
        rate = recorded_rate(file)
        if rate not in (None, fps):
            raise DatasetError(
                f"{path} was recorded at {rate:g} Hz (control_freq in its env_args), --fps is {fps}: every speed would "
                f"be wrong; give --fps {rate:g}"
            )
        for name in demonstrations(file):
            index = int(name.removeprefix("demo_"))
            seed = number * DEMOS_PER_FILE + index
            if seed in done:
                continue
            demonstration = read(file["data"][name])
            where = f"{path}:data/{name}"
            _check(demonstration, where)
            contract = contract_of(demonstration.images)
            claim_contract(contract, out, where)
            stage_episode(out, *_episode(demonstration, seed, contract, path, index), fps)
            count += 1
    return count


def _episode(
    demonstration: Demonstration, seed: int, contract: Contract, path: Path, index: int
) -> tuple[EpisodeBuffer, EpisodeInfo]:
    buffer = EpisodeBuffer(specification=frame_columns(contract.state_size, contract.action_size))
    nowhere = np.full(3, np.nan)
    closed = False
    length = len(demonstration.action)
    for i in range(length):
        action = demonstration.action[i]
        buffer.add(
            {camera: frames[i] for camera, frames in demonstration.images.items()},
            {
                "observation.state": demonstration.state[i],
                "observation.gripper": float(closed),
                "action": action,
                "executed_action": action,
                "done": bool(demonstration.done[i]),
                "skill_index": 0,
                "target_position": nowhere,
                "support_position": nowhere,
            },
        )
        closed = bool(action[demonstration.gripper] > 0)
    text = demonstration.instruction
    info = EpisodeInfo(
        seed=seed,
        kind=WHOLE,
        split="train",
        instruction=text,
        success=True,
        segments=(SkillSegment(WHOLE, "", None, text, 0, length, True),),
        extra={"source_file": path.name, "source_demo": index},
    )
    return buffer, info


def _check(demonstration: Demonstration, where: str) -> None:
    length = len(demonstration.action)
    if length < EXECUTE_STEPS:
        raise DatasetError(f"{where} has {length} frames, fewer than a chunk of {EXECUTE_STEPS}; remove it")
    if not demonstration.instruction:
        raise DatasetError(f"{where} has an empty instruction")
    for name, values in (("state", demonstration.state), ("action", demonstration.action)):
        if not np.isfinite(values).all():
            raise DatasetError(f"{where}: {name} holds values that are not finite numbers")


def _file_numbers(out: Path, source: Path, files: list[Path]) -> dict[Path, int]:
    """A number for every file that stays the same when more files come; kept in ``meta/sources.json``."""
    path = out / SOURCES_PATH
    if not path.exists() and (out / layout.CONTRACT_PATH).exists():
        raise DatasetError(f"{out} holds another dataset; choose another --out")
    known: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    root = source if source.is_dir() else source.parent
    names = {file: file.relative_to(root).as_posix() for file in files}
    for name in names.values():
        known.setdefault(name, len(known))
    write_text_atomically(path, json.dumps(known, indent=1))
    return {file: known[name] for file, name in names.items()}
