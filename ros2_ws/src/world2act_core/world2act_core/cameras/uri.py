"""Where a camera's pictures come from, as one text: topic:/wrist/image_raw, v4l2:/dev/video0, rtsp://host/path, ..."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

Scheme = Literal["topic", "v4l2", "rtsp", "file"]
StampSource = Literal["device", "arrival"]
Crop = tuple[float, float, float, float]

EXAMPLES = "topic:/wrist/image_raw, v4l2:/dev/video0?size=640x480, rtsp://host:554/path, file:clip.mp4?loop=1"
MAX_DELAY_S = 5.0


class CameraUriError(ValueError):
    """A camera's source that cannot be understood; the message names the part and what is allowed."""


@dataclass(frozen=True)
class CameraUri:
    """One camera's source.

    target: topic name, device path, complete RTSP URL or file path, by `scheme`. stamp: `device` takes the source's own
    time stamps, `arrival` the time a picture came in. delay_s: known age of a picture when it comes in, taken off the
    stamp. crop: (x, y, width, height) in [0, 1] of the rectified picture, cut out before it is published; None: all.
    frozen_check: whether the picture must change when the hand moves. options: what only this scheme has.
    """

    scheme: Scheme
    target: str
    stamp: StampSource = "device"
    delay_s: float = 0.0
    crop: Crop | None = None
    frozen_check: bool = True
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The source for people and logs: without options, and without the password of an RTSP URL."""
        if self.scheme == "rtsp":
            return re.sub(r"//([^/@:]*):[^/@]*@", r"//\1:***@", self.target)
        return f"{self.scheme}:{self.target}"

    @property
    def compressed(self) -> bool:
        """Whether the pictures of a topic are CompressedImage: the option `type`, else how the topic's name ends."""
        return self.options.get("type", "compressed" if self.target.endswith("/compressed") else "raw") == "compressed"


def parse_camera_uri(text: str) -> CameraUri:
    """`text` as a CameraUri.

    Options follow a `?`, in an RTSP URL a `#` (its `?` belongs to the server): `name=value`, separated by `&`.
    Raises CameraUriError for another scheme, an option that the scheme does not have and a value that makes no sense.
    """
    scheme, colon, rest = text.partition(":")
    if scheme == "rtsps" or (scheme == "rtsp" and colon):
        return _parse_rtsp(text)
    if scheme not in ("topic", "v4l2", "file") or not colon:
        raise CameraUriError(f"{text!r} is not a camera source: write one like {EXAMPLES}")
    target, _, query = rest.partition("?")
    target = target.removeprefix("//") if target.startswith("///") else target
    if not target:
        raise CameraUriError(f"{text!r} names nothing after '{scheme}:': write one like {EXAMPLES}")
    if scheme == "topic" and not re.fullmatch(r"[~/A-Za-z_][\w/]*", target):
        raise CameraUriError(f"{text!r}: {target!r} is not a topic name (letters, digits, '_' and '/')")
    return _with_options(scheme, target, query, text)


def _parse_rtsp(text: str) -> CameraUri:
    url, _, query = text.partition("#")
    if not urlsplit(url).hostname:
        raise CameraUriError(f"{text!r} has no host: write rtsp://host:554/path")
    return _with_options("rtsp", url, query, text)


def _stamp(value: str) -> str:
    return _one_of(value, "device", "arrival")


def _delay(value: str) -> float:
    delay_s = float(value)
    if not 0.0 <= delay_s <= MAX_DELAY_S:
        raise ValueError(f"must be seconds from 0 to {MAX_DELAY_S:g}")
    return delay_s


def _crop(value: str) -> Crop:
    parts = tuple(float(part) for part in value.split(","))
    if len(parts) != 4:
        raise ValueError("must be x,y,width,height as fractions of the picture")
    x, y, width, height = parts
    if not (min(x, y) >= 0 and min(width, height) > 0 and max(x + width, y + height) <= 1 + 1e-9):
        raise ValueError("must lie within the picture: x,y,width,height from 0 to 1")
    return x, y, width, height


def _size(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", value):
        raise ValueError("must be WIDTHxHEIGHT, as in 640x480")
    return value


def _rate(value: str) -> str:
    if not 0.0 < float(value) <= 1000.0:
        raise ValueError("must be pictures per second, above 0 and up to 1000")
    return value


def _one_of(value: str, *allowed: str) -> str:
    if value not in allowed:
        raise ValueError(f"must be one of: {', '.join(allowed)}")
    return value


def _on_off(value: str) -> bool:
    return _one_of(value, "on", "off") == "on"


# option -> (field of CameraUri, reader)
_COMMON: dict[str, tuple[str, Callable[[str], Any]]] = {
    "stamp": ("stamp", _stamp),
    "delay": ("delay_s", _delay),
    "crop": ("crop", _crop),
    "frozen": ("frozen_check", _on_off),
}
_OWN: dict[str, dict[str, Callable[[str], str]]] = {
    "topic": {"type": lambda value: _one_of(value, "raw", "compressed")},
    "v4l2": {"size": _size, "fps": _rate, "format": str},
    "rtsp": {"transport": lambda value: _one_of(value, "tcp", "udp")},
    "file": {"loop": lambda value: _one_of(value, "0", "1")},
}


def _with_options(scheme: Any, target: str, query: str, text: str) -> CameraUri:
    fields: dict[str, Any] = {}
    own: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        try:
            if name in _COMMON:
                key, read = _COMMON[name]
                fields[key] = read(value)
            elif name in _OWN[scheme]:
                own[name] = _OWN[scheme][name](value)
            else:
                allowed = ", ".join(sorted((*_COMMON, *_OWN[scheme])))
                raise CameraUriError(f"{text!r} has no option {name!r}; options of {scheme}: {allowed}")
        except CameraUriError:
            raise
        except ValueError as error:
            raise CameraUriError(f"{text!r}: option {name}={value}: {error}") from error
    return CameraUri(scheme, target, options=own, **fields)
