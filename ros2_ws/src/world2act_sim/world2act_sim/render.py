"""Camera pictures of a MuJoCo model, in a stock and in a fast flavour that look the same at policy resolution."""

from __future__ import annotations

from typing import Literal

import mujoco
import numpy as np

RenderMode = Literal["fast", "stock", "none"]


def apply_fast_settings(model: mujoco.MjModel) -> None:
    """Switch off what costs most of a software-rendered picture: multisampling, reflections, shadow maps."""
    model.vis.quality.offsamples = 0
    model.vis.quality.shadowsize = 0
    model.mat_reflectance[:] = 0.0


class CameraRenderer:
    """Renders named cameras of a model to uint8 RGB.

    Args:
        model: compiled model; visual settings are read when the renderer is made.
        width, height: picture size in pixels.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        self._renderer = mujoco.Renderer(model, height=height, width=width)
        self._options = mujoco.MjvOption()
        # robosuite's convention: group 0 collides, group 1 is seen.
        self._options.geomgroup[:] = 0
        self._options.geomgroup[1] = 1
        self._options.sitegroup[:] = 0

    def render(self, data: mujoco.MjData, camera: str) -> np.ndarray:
        """One picture, uint8 [height, width, 3], first row at the top."""
        self._renderer.update_scene(data, camera=camera, scene_option=self._options)
        return np.array(self._renderer.render(), copy=True)

    def close(self) -> None:
        """Free the GL context."""
        self._renderer.close()
