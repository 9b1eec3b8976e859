"""The cameras of a simulated robot: they look on their own time, whatever the arm's controller is doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import mujoco
import numpy as np
from numpy.typing import NDArray

from world2act.simulation.world_setup import world_not_built
from world2act_sim.render import CameraRenderer
from world2act_sim.world import CAMERAS, TabletopWorld

Pictures = dict[str, NDArray[np.uint8]]
START_S = 60.0


class CameraThread:
    """Renders all cameras of a world at `rate_hz` in a thread and hands them on with the time of the exposure [ns].

    lock: held by whoever moves or arranges the world; here only while its state is copied, so pictures never hold up
        the arm. When it is held for long, the pictures of before are handed on again.
    deliver, failed: called in the thread; failed when rendering breaks, after which there are no more pictures.
    """

    def __init__(
        self, world: TabletopWorld, lock: threading.Lock, rate_hz: float, size: int,
        deliver: Callable[[Pictures, int], None], failed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._world, self._lock, self._period_s, self._size = world, lock, 1.0 / rate_hz, size
        self._deliver, self._failed = deliver, failed
        self._ending = threading.Event()
        self._ready = threading.Event()
        self._error: Exception | None = None
        self.active = False
        self._thread = threading.Thread(target=self._run, name="cameras", daemon=True)

    def start(self) -> None:
        """Begin, and wait for the first picture. Raises ConfigurationError when there is none."""
        self._thread.start()
        if not self._ready.wait(START_S):
            self._error = TimeoutError(f"the first picture took more than {START_S:g} s")
        if self._error is not None:
            raise world_not_built(self._world.config.robot, self._error) from self._error

    def end(self) -> None:
        """End the thread and free the renderer."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            data = mujoco.MjData(self._world.model)
            renderer = CameraRenderer(self._world.model, self._size, self._size)
        except Exception as error:
            self._error = error
            self._ready.set()
            return
        try:
            self._look_on_time(data, renderer)
        except Exception as error:
            self._error = error
            if self._ready.is_set():
                self._failed()
            self._ready.set()
        finally:
            renderer.close()

    def _look_on_time(self, data: mujoco.MjData, renderer: CameraRenderer) -> None:
        due_s = time.monotonic()
        pictures: Pictures = {}
        while not self._ending.wait(max(0.0, due_s - time.monotonic())):
            # A late picture is left out, not caught up on.
            due_s = max(due_s + self._period_s, time.monotonic())
            if not self.active and self._ready.is_set():
                continue
            stamp_ns = self._expose(data)
            # While another episode is arranged, a camera goes on and sees what it saw.
            if stamp_ns is not None or not pictures:
                pictures = {name: renderer.render(data, camera) for name, camera in CAMERAS.items()}
            self._ready.set()
            if self.active:
                self._deliver(pictures, time.time_ns() if stamp_ns is None else stamp_ns)

    def _expose(self, data: mujoco.MjData) -> int | None:
        """Copy the world's state into `data`; returns when it was, None when the world is not to be had soon."""
        if not self._lock.acquire(timeout=self._period_s / 2.0):
            return None
        try:
            stamp_ns = time.time_ns()
            data.qpos[:] = self._world.data.qpos
        finally:
            self._lock.release()
        mujoco.mj_kinematics(self._world.model, data)
        mujoco.mj_comPos(self._world.model, data)
        mujoco.mj_camlight(self._world.model, data)
        return stamp_ns
