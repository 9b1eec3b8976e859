"""Where the pictures of each camera of the contract come from: the parameter `cameras`."""

from __future__ import annotations

from collections.abc import Sequence

from world2act import topics
from world2act.errors import ConfigurationError
from world2act.parameters import Parameter
from world2act_core.cameras.uri import CameraUri, CameraUriError, parse_camera_uri

CAMERAS_PARAMETER = Parameter(
    "cameras",
    ("",),
    "Sources as NAME=SOURCE, in real time; a camera that is not listed is topic:camera/NAME/image_raw. "
    "SOURCE: topic:NAME, v4l2:DEVICE, rtsp://HOST/PATH or file:PATH, with options (how-to: cameras)",
)


def camera_sources(names: Sequence[str], items: Sequence[str]) -> dict[str, CameraUri]:
    """Camera -> source, in the order of the contract's `names`, from the parameter's NAME=SOURCE items.

    Raises ConfigurationError for an item that is none, a camera the contract does not have, and a bad source.
    """
    given = by_name("cameras", items, names)
    return {name: _source(name, given.get(name, "")) for name in names}


def by_name(parameter: str, items: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Name -> value, from NAME=VALUE items; raises ConfigurationError for one that is none, or of no such name."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not value:
            raise ConfigurationError(f"parameter {parameter!r} has the item {item!r}", "write each as NAME=SOURCE")
        if name not in names:
            raise ConfigurationError(
                f"parameter {parameter!r} names the camera {name!r}; the bundle's contract has: {', '.join(names)}",
                "use the contract's names",
            )
        if name in found:
            raise ConfigurationError(f"parameter {parameter!r} names the camera {name!r} twice", "leave one out")
        found[name] = value
    return found


def _source(camera: str, text: str) -> CameraUri:
    try:
        return parse_camera_uri(text or f"topic:{topics.image_topic(camera)}")
    except CameraUriError as error:
        raise ConfigurationError(f"camera {camera!r}: {error}", "see docs/how-to/cameras.md") from error
