"""Section "sim": control steps per second with two cameras, against stock robosuite, at pictures that look the same."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import numpy as np

from tests.bench.pictures import Image, psnr, side_by_side, ssim
from tests.bench.results import Check, Section, Stage
from tests.bench.settings import Settings
from tests.bench.timing import Side, compare, interleave
from tests.bench.worker import Worker

MODULE = "tests.bench.sim_worlds"
TARGET = 5.0
SSIM_TARGET = 0.9
SEEDS = (1, 2, 3, 4)


def run(settings: Settings) -> Section:
    """Measure; every world is a process of its own, and only one of them works at a time."""
    section = Section("sim")
    with ExitStack() as stack:
        fast = stack.enter_context(Worker(MODULE, "Tabletop", "fast", patience=settings.patience))
        same = stack.enter_context(Worker(MODULE, "Tabletop", "stock", patience=settings.patience))
        lift = stack.enter_context(Worker(MODULE, "StockLift", patience=settings.patience))
        sides: dict[str, Side] = {
            "ours": partial(fast.call, "steps", 10),
            "lift": partial(lift.call, "steps", 3),
            "same": partial(same.call, "steps", 3),
        }
        found = interleave(sides, settings.pick(16, 3))
        name = "control steps/s, two 128 px cameras"
        against = "stock robosuite 1.5 Lift, Panda, two 128 px cameras, 10 Hz, own process"
        section.rows.append(
            compare(name, against, found["ours"], found["lift"], unit="steps/s", rate=True, at_least=TARGET)
        )
        against = 'the same Tabletop world with render="stock" (robosuite\'s meshes, multisampling, reflections)'
        section.rows.append(
            compare(f"{name}, same world", against, found["ours"], found["same"], unit="steps/s", rate=True)
        )
        _compare_pictures(section, settings, fast, same)
        section.stages += _stages(fast.call("stages", settings.pick(80, 10)))
    section.notes.append("one process per world, all with the same OpenGL; only one of them works at a time")
    return section


def _compare_pictures(section: Section, settings: Settings, fast: Worker, same: Worker) -> None:
    """Pictures of the same states, drawn fast and stock."""
    rows: list[list[Image]] = []
    likeness: dict[str, list[tuple[float, float]]] = {"scene": [], "wrist": []}
    apart = 0.0
    for seed in SEEDS:
        ours, ours_state = fast.call("pictures", seed, 5 * seed)
        theirs, theirs_state = same.call("pictures", seed, 5 * seed)
        apart = max(apart, float(np.abs(ours_state - theirs_state).max()))
        for camera, values in likeness.items():
            values.append((psnr(ours[camera], theirs[camera]), ssim(ours[camera], theirs[camera])))
        rows.append([ours["scene"], theirs["scene"], ours["wrist"], theirs["wrist"]])
    section.checks.append(Check("physics state, fast and stock", apart, "max difference", "<= 1e-9", apart <= 1e-9))
    for camera, values in likeness.items():
        decibels, similarities = zip(*values)
        section.checks.append(
            Check(
                f"pictures alike, {camera} camera (PSNR {float(np.median(decibels)):.1f} dB)",
                float(np.median(similarities)),
                "SSIM, median",
                f">= {SSIM_TARGET:g}",
                float(np.median(similarities)) >= SSIM_TARGET,
            )
        )
    titles = ("scene, ours (fast)", "scene, stock meshes", "wrist, ours (fast)", "wrist, stock meshes")
    side_by_side(settings.pictures_path, titles, rows)
    section.notes.append(f"pictures side by side: {settings.pictures_path}")


def _stages(parts: dict[str, list[float]]) -> list[Stage]:
    whole = float(np.median(parts["whole step"]))
    of = "one fast control step"
    stages = [
        Stage(of, name, 1e3 * float(np.median(seconds)), float(np.median(seconds)) / whole)
        for name, seconds in parts.items()
    ]
    return sorted(stages, key=lambda stage: (stage.name == "whole step", stage.name == "everything else", -stage.ms))
