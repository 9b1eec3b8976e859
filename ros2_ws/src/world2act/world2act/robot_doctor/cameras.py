"""Checks of the cameras, and of the clocks that stamp everything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from world2act.cameras.camera_info import lens_from_info
from world2act.cameras.profile_parameters import source_uri
from world2act.cameras.settings import CameraSetting
from world2act.checks import Check
from world2act.robot_doctor.listening import FIRST_S, IMAGE_TYPES, Heard, Publications, topics_of_type
from world2act.supervision.session import Session
from world2act_core.cameras.encodings import ENCODINGS, EncodingError, rgb_from_compressed, rgb_from_raw
from world2act_core.cameras.lens import Lens, LensError, check_size, read_lens
from world2act_core.cameras.uri import parse_camera_uri
from world2act_core.contract import CameraSpec
from world2act_core.robot.parts import CameraSource
from world2act_core.robot.profile import RobotProfile
from world2act_core.types import ImageArray

RATE_SHARE = 0.8
MAX_LAG_S, MAX_LEAD_S = 0.5, 0.05


def check_cameras(
    session: Session, profile: RobotProfile, heard: Publications, wanted: Sequence[CameraSpec] | None
) -> Iterator[Check]:
    """Every camera of the profile, and its calibration. wanted: the bundle's cameras; None: not known, all count."""
    specs = {spec.name: spec for spec in wanted or ()}
    for camera in profile.cameras:
        needed = wanted is None or camera.name in specs
        found = _camera(session, camera, heard, specs.get(camera.name))
        yield from (check if needed else _milder(check) for check in found)


def _milder(check: Check) -> Check:
    """The same of a camera that the bundle does not look at: camera_ingest leaves it alone."""
    if check.level != "missing":
        return check
    return replace(check, level="warning", found=f"{check.found} (the bundle does not look at this camera)")


def _camera(session: Session, camera: CameraSource, heard: Publications, spec: CameraSpec | None) -> Iterator[Check]:
    name, image = f"camera {camera.name}", None
    if camera.kind in IMAGE_TYPES:
        check, image = _topic(session, name, camera, heard.images[camera.name])
        yield check if image is None or spec is None else _size(check, camera, spec, image)
    else:
        yield _source(name, camera)
    yield from _calibration(name, camera, heard.camera_infos.get(camera.name), image)


def _topic(session: Session, name: str, camera: CameraSource, heard: Heard) -> tuple[Check, ImageArray | None]:
    """What is to be said of a driver's pictures, and the newest one; None when it cannot be understood."""
    kind = "sensor_msgs/msg/Image" if camera.kind == "topic" else "sensor_msgs/msg/CompressedImage"
    if heard.newest is None:
        return _silent(session, name, kind, heard.topic), None
    try:
        image = _decoded(heard.newest, camera.kind)
    except EncodingError as error:
        remedy = f"set the driver to {'one of these' if camera.kind == 'topic' else 'jpeg or png'}"
        if camera.kind == "topic" and heard.newest.encoding in ENCODINGS:
            remedy = "the driver fills the message wrongly: height, width, step and data must agree"
        return Check(name, "missing", f"{heard.topic}: {error}", remedy), None
    size = f"{image.shape[1]}x{image.shape[0]}"
    encoding = heard.newest.encoding if camera.kind == "topic" else heard.newest.format
    found = f"{heard.topic}: {size} {encoding}, {heard.rate_hz:.1f} Hz"
    if camera.fps is not None and heard.rate_hz < RATE_SHARE * camera.fps:
        remedy = "look at the driver's settings, the cable and this machine's load, or lower the camera's `fps`"
        return Check(name, "warning", f"{found}, the profile expects {camera.fps:g}", remedy), image
    return Check(name, "ok", found), image


def _size(check: Check, camera: CameraSource, spec: CameraSpec, image: ImageArray) -> Check:
    """The check itself, or that the picture is smaller than the bundle wants it: camera_ingest holds it back."""
    width, height = CameraSetting(spec, parse_camera_uri(source_uri(camera))).smallest
    if image.shape[1] >= width and image.shape[0] >= height:
        return check
    found = f"{check.found}; the bundle wants {width}x{height} or more"
    return Check(check.name, "missing", found, "set the driver to a larger picture")


def _silent(session: Session, name: str, kind: str, topic: str) -> Check:
    senders = session.node.get_publishers_info_by_topic(session.node.resolve_topic_name(topic))
    types = sorted({sender.topic_type for sender in senders} - {kind})
    if types:
        found = f"{topic} is {', '.join(types)}, the profile says {kind}"
        return Check(name, "missing", found, "correct the camera's `kind`, or its topic")
    found = f"nothing on {topic} within {FIRST_S:g} s; topics of that type: {topics_of_type(session, kind)}"
    return Check(name, "missing", found, "start the camera's driver, or correct the camera's `source`")


def _decoded(message: Any, kind: str) -> ImageArray:
    """As camera_ingest reads it, rgb uint8 [H, W, 3]. Raises EncodingError."""
    data = np.frombuffer(message.data, np.uint8)
    if kind == "compressed_topic":
        return rgb_from_compressed(data, message.format)
    sizes = message.height, message.width, message.step
    return rgb_from_raw(data, message.encoding, *sizes, bool(message.is_bigendian))


def _source(name: str, camera: CameraSource) -> Check:
    if camera.kind == "rtsp":
        if not camera.source.startswith(("rtsp://", "rtsps://")):
            return Check(name, "missing", f"{camera.source} is no RTSP address", "give `source` as rtsp://host/path")
        return Check(name, "ok", f"{camera.source}, opened by camera_ingest; not tried here")
    number = camera.kind == "device" and camera.source.isdigit()
    path = Path(f"/dev/video{camera.source}" if number else camera.source)
    if not path.exists():
        return Check(name, "missing", f"there is no {path}", "plug the camera in, or correct the camera's `source`")
    if not os.access(path, os.R_OK):
        remedy = f"sudo usermod -aG video {os.environ.get('USER', '$USER')}, then log in again"
        return Check(name, "missing", f"{path} cannot be read", remedy if camera.kind == "device" else "chmod +r it")
    return Check(name, "ok", f"{path}, opened by camera_ingest")


def _calibration(name: str, camera: CameraSource, info: Heard | None, image: ImageArray | None) -> Iterator[Check]:
    """Nothing to say about a lens that camera_ingest can use, or about a camera without one."""
    silent = info is not None and info.newest is None
    if info is not None and silent and camera.calibration is None:
        found = f"nothing on {info.topic} within {FIRST_S:g} s: without it every picture is held back"
        remedy = "have the driver repeat it, give a calibration file, or set camera_info to null: no rectification"
        yield Check(name, "missing", found, remedy)
        return
    try:
        lens = _lens(camera, info)
        if lens is not None and image is not None:
            check_size(lens, image)
    except LensError as error:
        yield Check(name, "missing", f"{error}", "calibrate it at the size it sends, or correct the path or the topic")


def _lens(camera: CameraSource, info: Heard | None) -> Lens | None:
    """The lens that camera_ingest would use: a file's before a topic's. Raises LensError."""
    if camera.calibration is not None:
        return read_lens(camera.calibration)
    return lens_from_info(info.newest, info.topic) if info is not None else None


def check_clocks(heard: Publications) -> Check:
    """Stamps lie close behind this machine's clock: every age in the graph depends on it."""
    problems = []
    for topic in heard.stamped:
        if not topic.lags_s:
            continue
        lag = median(topic.lags_s)
        if topic.newest.header.stamp.sec == 0:
            problems.append(f"{topic.topic} is not stamped")
        elif lag > MAX_LAG_S:
            problems.append(f"{topic.topic} is {lag:.2f} s old when it arrives")
        elif lag < -MAX_LEAD_S:
            problems.append(f"{topic.topic} is stamped {-lag:.2f} s in the future")
    if problems:
        remedy = "synchronise the clocks (chrony), have the driver stamp with this clock, or use_sim_time everywhere"
        return Check("clocks", "missing", "; ".join(problems), remedy)
    lags = [median(topic.lags_s) for topic in heard.stamped if topic.lags_s]
    if not lags:
        return Check("clocks", "warning", "nothing that is stamped was heard", "first make the lines above ok")
    return Check("clocks", "ok", f"stamps arrive {max(lags) * 1000:.0f} ms old at most")
