"""What the parameters say about each camera of the contract."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from world2act.cameras.sources import by_name, camera_sources
from world2act.errors import ConfigurationError
from world2act_core.cameras.lens import Lens, LensError, read_lens
from world2act_core.cameras.uri import CameraUri, CameraUriError, parse_camera_uri
from world2act_core.contract import CameraSpec


@dataclass(frozen=True, eq=False)
class CameraSetting:
    """One camera: what the contract wants, where it comes from, and its lens.

    lens: from a file. lens_topic: of the CameraInfo that brings it. Neither: pictures are not rectified.
    """

    spec: CameraSpec
    uri: CameraUri
    lens: Lens | None = None
    lens_topic: str = ""

    @property
    def smallest(self) -> tuple[int, int]:
        """(width, height) below which a picture would have to be blown up to the contract's size."""
        _, _, width, height = self.uri.crop or (0.0, 0.0, 1.0, 1.0)
        _, _, wanted_width, wanted_height = self.spec.crop or (0.0, 0.0, 1.0, 1.0)
        return round(self.spec.width / (width * wanted_width)), round(self.spec.height / (height * wanted_height))


def camera_settings(
    specs: Sequence[CameraSpec], cameras: Sequence[str], calibrations: Sequence[str]
) -> dict[str, CameraSetting]:
    """Camera -> setting, in the contract's order, from the parameters' NAME=... items.

    Raises ConfigurationError for an item that is none, a camera the contract does not have, and a bad source or file.
    """
    names = tuple(spec.name for spec in specs)
    sources = camera_sources(names, cameras)
    lenses = by_name("calibrations", calibrations, names)
    return {spec.name: _setting(spec, sources[spec.name], lenses.get(spec.name, "")) for spec in specs}


def _check_library(camera: str, uri: CameraUri) -> None:
    if uri.scheme != "topic" and importlib.util.find_spec("av") is None:
        raise ConfigurationError(f"camera {camera!r} ({uri.shown}) needs PyAV", "pip install world2act[cameras]")


def _setting(spec: CameraSpec, uri: CameraUri, calibration: str) -> CameraSetting:
    _check_library(spec.name, uri)
    try:
        if calibration.startswith("topic:"):
            return CameraSetting(spec, uri, lens_topic=parse_camera_uri(calibration).target)
        lens = read_lens(calibration.removeprefix("file:")) if calibration else None
    except CameraUriError as error:
        raise ConfigurationError(f"camera {spec.name!r}: {error}", "see docs/how-to/cameras.md") from error
    except LensError as error:
        raise ConfigurationError(
            f"camera {spec.name!r}: {error}", "calibrate it with ROS's camera_calibration, and give the file it writes"
        ) from error
    return CameraSetting(spec, uri, lens)
