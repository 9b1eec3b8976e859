"""Checks of the cameras, and of the clocks that stamp everything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from world2act.checks import Check
from world2act.robot_doctor.listening import FIRST_S, IMAGE_TYPES, Heard, Publications, topics_of_type
from world2act.supervision.session import Session
from world2act_core.robot.parts import CameraSource
from world2act_core.robot.profile import RobotProfile

ENCODINGS = ("rgb8", "bgr8")
RATE_SHARE = 0.8
MAX_LAG_S, MAX_LEAD_S = 0.5, 0.05


def check_cameras(session: Session, profile: RobotProfile, heard: Publications) -> Iterator[Check]:
    """Every camera of the profile, and its calibration."""
    for camera in profile.cameras:
        name = f"camera {camera.name}"
        if camera.kind in IMAGE_TYPES:
            yield _topic(session, name, camera, heard.images[camera.name])
        else:
            yield _source(name, camera)
        yield from _calibration(name, camera, heard.camera_infos.get(camera.name))


def _topic(session: Session, name: str, camera: CameraSource, heard: Heard) -> Check:
    kind = "sensor_msgs/msg/Image" if camera.kind == "topic" else "sensor_msgs/msg/CompressedImage"
    if heard.newest is None:
        senders = session.node.get_publishers_info_by_topic(session.node.resolve_topic_name(heard.topic))
        types = sorted({sender.topic_type for sender in senders} - {kind})
        if types:
            found = f"{heard.topic} is {', '.join(types)}, the profile says {kind}"
            return Check(name, "missing", found, "correct the camera's `kind`, or its topic")
        found = f"nothing on {heard.topic} within {FIRST_S:g} s; topics of that type: {topics_of_type(session, kind)}"
        return Check(name, "missing", found, "start the camera's driver, or correct the camera's `source`")
    if camera.kind == "topic" and heard.newest.encoding not in ENCODINGS:
        found = f"{heard.topic} is encoded as {heard.newest.encoding}"
        return Check(name, "missing", found, f"set the driver to one of {', '.join(ENCODINGS)}")
    if camera.kind == "compressed_topic" and not _is_picture(heard.newest.format):
        return Check(
            name, "missing", f"{heard.topic} has format {heard.newest.format!r}", "set the driver to jpeg or png"
        )
    size = f"{heard.newest.width}x{heard.newest.height}, " if camera.kind == "topic" else ""
    found = f"{heard.topic}: {size}{heard.rate_hz:.1f} Hz"
    if camera.fps is not None and heard.rate_hz < RATE_SHARE * camera.fps:
        remedy = "look at the driver's settings, the cable and this machine's load, or lower the camera's `fps`"
        return Check(name, "warning", f"{found}, the profile expects {camera.fps:g}", remedy)
    return Check(name, "ok", found)


def _is_picture(text: str) -> bool:
    return any(word in text.lower() for word in ("jpeg", "jpg", "png"))


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


def _calibration(name: str, camera: CameraSource, info: Heard | None) -> Iterator[Check]:
    if camera.calibration is not None and not Path(camera.calibration).is_file():
        yield Check(
            name, "missing", f"there is no calibration {camera.calibration}", "calibrate it, or correct the path"
        )
    if info is not None and info.newest is None and camera.calibration is None:
        found = f"nothing on {info.topic} within {FIRST_S:g} s"
        yield Check(
            name,
            "warning",
            found,
            "have the driver publish it, or give a calibration file; no rectification until then",
        )


def check_clocks(heard: Publications) -> Check:
    """Stamps lie close behind this machine's clock: every age in the graph depends on it."""
    problems = []
    for topic in heard.all:
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
    lags = [median(topic.lags_s) for topic in heard.all if topic.lags_s]
    if not lags:
        return Check("clocks", "warning", "nothing that is stamped was heard", "first make the lines above ok")
    return Check("clocks", "ok", f"stamps arrive {max(lags) * 1000:.0f} ms old at most")
