"""sensor_msgs/CameraInfo -> lens."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo

from world2act_core.cameras.lens import Lens, LensError, make_lens


def lens_from_info(message: CameraInfo, topic: str) -> Lens:
    """The lens that came on `topic`. Raises LensError: it cannot be used, or is not that of the whole picture."""
    source = f"camera_info on {topic}"
    if message.roi.width or message.roi.height or message.binning_x > 1 or message.binning_y > 1:
        raise LensError(f"{source} is for a binned picture or a part of one, which is not supported")
    size = message.width, message.height
    return make_lens(size, message.distortion_model, message.k, message.d, message.r, message.p, source)
