"""One camera of the graph: takes pictures from its source, judges them, and prepares those that are published."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from world2act.cameras.camera_info import lens_from_info
from world2act.cameras.settings import CameraSetting
from world2act.conversions import ConversionError, image_to_message, ns_to_stamp, stamp_to_ns
from world2act.meters import Meters
from world2act_core.cameras.encodings import EncodingError, rgb_from_compressed, rgb_from_raw
from world2act_core.cameras.faults import INVALID, SILENT, UNCALIBRATED, WRONG_SIZE, Finding
from world2act_core.cameras.hand import HandLog
from world2act_core.cameras.health import CameraHealth, HealthLimits
from world2act_core.cameras.lens import LensError, Rectifier, check_size
from world2act_core.images import crop_image
from world2act_core.types import ImageArray

UNKNOWN_DELAY_NS = 300_000_000
"""How much older than its stamp a picture may be when the stamp does not come from the camera's driver."""


@dataclass(frozen=True, eq=False)
class Picture:
    """image: rgb uint8 [H, W, 3], as the source sent it. message: the same as rgb8, if it came as that."""

    image: ImageArray
    stamp_ns: int
    message: Image | None = None


@dataclass(frozen=True, eq=False)
class FeedLinks:
    """What the feeds of one node share.

    hands: where the hand was. now_ns: the clock that stamps are compared with. accept: called with (name, picture) for
    each picture that may be used. changed: called when a camera's finding gets another name.
    """

    hands: HandLog
    meters: Meters
    now_ns: Callable[[], int]
    accept: Callable[[str, Picture], None]
    changed: Callable[[], None]


class CameraFeed:
    """The state of one camera. All methods belong to the executor's thread."""

    def __init__(self, setting: CameraSetting, limits: HealthLimits, links: FeedLinks) -> None:
        self.name = setting.spec.name
        self.setting = setting
        self._limits = limits
        self._links = links
        self._meters = links.meters
        self._rectifier = Rectifier(setting.lens) if setting.lens else None
        self._calibration: object = None
        self._lens_problem: Finding | None = None
        if setting.lens_topic:
            self._lens_problem = Finding(UNCALIBRATED, f"no calibration has come on {setting.lens_topic} yet")
        self.restart()

    def restart(self) -> None:
        """Forget every judgement; the lens stays."""
        self._health = CameraHealth(self._limits)
        self._noticed = ""

    @property
    def finding(self) -> Finding | None:
        """What is wrong with the pictures, if any come."""
        return self._health.fault or self._lens_problem

    def take_raw(self, message: Image) -> None:
        """A picture of the driver."""
        data = np.frombuffer(message.data, np.uint8)
        sizes = message.height, message.width, message.step
        stamp_ns = self._stamp_ns(message)
        image = self._decoded(lambda: rgb_from_raw(data, message.encoding, *sizes, bool(message.is_bigendian)))
        if image is not None:
            self.take(Picture(image, stamp_ns, message if message.encoding == "rgb8" else None))

    def take_compressed(self, message: CompressedImage) -> None:
        """A compressed picture of the driver."""
        stamp_ns = self._stamp_ns(message)
        data = np.frombuffer(message.data, np.uint8)
        image = self._decoded(lambda: rgb_from_compressed(data, message.format))
        if image is not None:
            self.take(Picture(image, stamp_ns))

    def take_info(self, message: CameraInfo) -> None:
        """The calibration that comes beside every picture; the maps are made again only when it changes."""
        size = message.width, message.height
        matrices = tuple(message.k), tuple(message.d), tuple(message.r), tuple(message.p)
        part = message.roi.width, message.roi.height, message.binning_x, message.binning_y
        calibration = (size, message.distortion_model, matrices, part)
        if calibration == self._calibration:
            return
        self._calibration, self._rectifier, self._lens_problem = calibration, None, None
        try:
            self._rectifier = Rectifier(lens_from_info(message, self.setting.lens_topic))
        except LensError as error:
            self._lens_problem = Finding(UNCALIBRATED, str(error))

    def take(self, picture: Picture) -> None:
        """Judge a picture, and hand it on when it may be used."""
        self._meters.tick(self.name)
        now_ns = self._links.now_ns()
        self._meters.latency(f"{self.name} delay", max(0.0, (now_ns - picture.stamp_ns) / 1e9))
        began = time.perf_counter()
        good = self._is_good(picture, now_ns)
        self._meters.latency(f"{self.name} check", time.perf_counter() - began)
        self._notice()
        if good and self.finding is None:
            self._links.accept(self.name, picture)
        else:
            self._meters.count(f"{self.name} pictures withheld")

    def _notice(self) -> None:
        name = self.finding.name if self.finding else ""
        if name != self._noticed:
            self._noticed = name
            self._links.changed()

    def message(self, picture: Picture) -> Image:
        """What is published of a picture: rectified, cropped, rgb8; the driver's own message where that is the same.

        Raises ConversionError when the calibration has changed to another size since the picture came.
        """
        crop = self.setting.uri.crop
        if self._rectifier is None and crop is None and picture.message is not None:
            picture.message.header.stamp = ns_to_stamp(picture.stamp_ns)  # it may not be the driver's
            return picture.message
        try:
            image = self._rectifier.apply(picture.image) if self._rectifier else picture.image
        except LensError as error:
            raise ConversionError(f"camera {self.name}: {error}") from error
        if crop is not None:
            image = crop_image(image, crop)
        return image_to_message(image, picture.stamp_ns, self.name)

    def silent(self, timeout_s: float) -> Finding | None:
        """Whether nothing came for so long."""
        if self._meters.age_s(self.name) <= timeout_s:
            return None
        return Finding(SILENT, f"nothing came for {timeout_s:g} s: check the driver, the cable and the topic")

    def _is_good(self, picture: Picture, now_ns: int) -> bool:
        if self._rectifier is not None:
            try:
                check_size(self._rectifier.lens, picture.image)
            except LensError as error:
                self._health.report(Finding(WRONG_SIZE, str(error)))
                return False
        from_driver = self.setting.uri.scheme == "topic" and self.setting.uri.stamp == "device"
        earliest_ns = picture.stamp_ns - (0 if from_driver else UNKNOWN_DELAY_NS)
        hand = self._links.hands.between(earliest_ns, picture.stamp_ns)
        return self._health.check(picture.image, picture.stamp_ns, now_ns, hand)

    def _stamp_ns(self, message: Image | CompressedImage) -> int:
        uri = self.setting.uri
        stamp_ns = self._links.now_ns() if uri.stamp == "arrival" else stamp_to_ns(message.header.stamp)
        return stamp_ns - round(uri.delay_s * 1e9) if stamp_ns else 0

    def _decoded(self, decode: Callable[[], ImageArray]) -> ImageArray | None:
        try:
            return decode()
        except EncodingError as error:
            self._meters.tick(self.name)
            self._meters.count(f"{self.name} pictures withheld")
            self._health.report(Finding(INVALID, str(error)))
            self._notice()
            return None
