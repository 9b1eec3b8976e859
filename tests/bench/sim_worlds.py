"""The worlds that are compared, each made in a process of its own; the arm draws a small circle in all of them."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SIZE_PX = 128
CONTROL_HZ = 10
CIRCLE_STEPS = 20
SPEED = 0.3
"""Share of the largest allowed motion per step."""


def circle_action(step: int) -> NDArray[np.float64]:
    """Normalised action [7] of control step `step`: a circle in the horizontal plane, gripper open."""
    angle = 2 * math.pi * step / CIRCLE_STEPS
    return np.array([SPEED * math.cos(angle), SPEED * math.sin(angle), 0.0, 0.0, 0.0, 0.0, -1.0])


def _quieten_robosuite() -> None:
    """robosuite prints advice about optional parts each time it is imported."""
    logging.getLogger("robosuite_logs").addFilter(lambda record: record.levelno >= logging.ERROR)


class StockLift:
    """robosuite's Lift as it comes, with the Panda and two cameras of 128 px."""

    def __init__(self) -> None:
        _quieten_robosuite()
        import robosuite

        self._env: Any = robosuite.make(
            "Lift",
            robots="Panda",
            has_renderer=False,
            has_offscreen_renderer=True,
            use_camera_obs=True,
            camera_names=["agentview", "robot0_eye_in_hand"],
            camera_heights=SIZE_PX,
            camera_widths=SIZE_PX,
            control_freq=CONTROL_HZ,
            ignore_done=True,
            hard_reset=False,
        )
        self._env.reset()
        self._step = 0
        self.steps(3)

    def steps(self, count: int) -> list[float]:
        """Seconds of each of `count` control steps, both pictures included."""
        seconds = []
        for _ in range(count):
            action = circle_action(self._step)
            began = time.perf_counter()
            observation = self._env.step(action)[0]
            seconds.append(time.perf_counter() - began)
            assert observation["agentview_image"].shape == (SIZE_PX, SIZE_PX, 3)
            self._step += 1
        return seconds


class Tabletop:
    """Our world in a flavour of rendering."""

    def __init__(self, render: Literal["fast", "stock"]) -> None:
        _quieten_robosuite()
        from world2act_sim.world import TabletopWorld, WorldConfig

        self.world = TabletopWorld(WorldConfig(image_size=SIZE_PX, render=render))
        self.world.reset(seed=0)
        self._step = 0
        self.steps(3)

    def _advance(self) -> Any:
        from world2act_core.pose import apply_action

        action = circle_action(self._step).astype(np.float32)
        action[:3] *= 0.05  # the contract's largest motion per step [m]
        self._step += 1
        return self.world.step(apply_action(self.world.eef_pose(), action))

    def steps(self, count: int) -> list[float]:
        """Seconds of each of `count` control steps, both pictures included."""
        seconds = []
        for _ in range(count):
            began = time.perf_counter()
            seen = self._advance()
            seconds.append(time.perf_counter() - began)
            assert seen.images["scene"].shape == seen.images["wrist"].shape == (SIZE_PX, SIZE_PX, 3)
        return seconds

    def pictures(self, seed: int, steps: int) -> tuple[dict[str, NDArray[np.uint8]], NDArray[np.float64]]:
        """Pictures and full physics state, `steps` control steps after the reset of `seed`."""
        self.world.reset(seed=seed)
        self._step = 0
        for _ in range(steps):
            self._advance()
        return dict(self.world.render()), np.array(self.world.data.qpos)

    def stages(self, count: int) -> dict[str, list[float]]:
        """Seconds per stage of each of `count` control steps; "whole step" is all of it, stopwatches included."""
        watch = _Stopwatch()
        watch.attach(self.world)
        parts: dict[str, list[float]] = {}
        for _ in range(count):
            watch.spent.clear()
            began = time.perf_counter()
            self._advance()
            whole = time.perf_counter() - began
            spent = {**watch.spent, "everything else": whole - sum(watch.spent.values()), "whole step": whole}
            for name, seconds in spent.items():
                parts.setdefault(name, []).append(seconds)
        watch.detach()
        return parts


class _Stopwatch:
    """Adds up the time spent in functions that are replaced by timed ones while it is attached."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._undo: list[Callable[[], None]] = []

    def attach(self, world: Any) -> None:
        """Time physics, controller and each camera of `world`."""
        import world2act_sim.world as world_module

        controller = world._robot.composite_controller
        for name in ("update_state", "set_goal", "run_controller"):
            self._replace(controller, name, lambda *_: "controller")
        renderer = world._renderer
        self._replace(renderer, "render", lambda _data, camera: f"rendering, {_short(camera)} camera")
        module, proxy = world_module.mujoco, _TimedModule(world_module.mujoco, self)
        world_module.mujoco = proxy
        self._undo.append(lambda: setattr(world_module, "mujoco", module))

    def _replace(self, owner: Any, name: str, stage: Callable[..., str]) -> None:
        function = getattr(owner, name)
        setattr(owner, name, self.timing(function, stage))
        self._undo.append(lambda: delattr(owner, name))

    def timing(self, function: Callable[..., Any], stage: Callable[..., str]) -> Callable[..., Any]:
        """`function`, its time added to the stage that `stage(*arguments)` names."""

        def call(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                name = stage(*arguments)
                self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - began

        return call

    def detach(self) -> None:
        """Put the original functions back."""
        while self._undo:
            self._undo.pop()()


class _TimedModule:
    """The mujoco module, with everything called mj_... counted as physics."""

    def __init__(self, module: Any, watch: _Stopwatch) -> None:
        self._module = module
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if name.startswith("mj_"):
            value = self._watch.timing(value, lambda *_: "physics")
            setattr(self, name, value)
        return value


def _short(camera: str) -> str:
    from world2act_sim.world import CAMERAS

    return next((name for name, known in CAMERAS.items() if known == camera), camera)
