"""sensor_msgs/JointState -> the measured joints of the arm and the gripper's opening."""

from __future__ import annotations

from sensor_msgs.msg import JointState

from world2act.conversions import ConversionError, stamp_to_ns
from world2act_core.robot.joint_reading import JointReader, JointReading, JointReadingError


def joint_reading(reader: JointReader, message: JointState) -> JointReading:
    """The joints of `reader` in a message; ConversionError names what is missing or not a number, or a zero stamp."""
    stamp_ns = stamp_to_ns(message.header.stamp)
    if stamp_ns == 0:
        raise ConversionError("JointState has no stamp (header.stamp is zero): the driver must say when it measured")
    try:
        return reader.read(stamp_ns, message.name, message.position, message.velocity)
    except JointReadingError as error:
        raise ConversionError(str(error)) from error


class JointStateListener:
    """Keeps the newest reading of an arm's joints; hand every message to `take`.

    A message that is older than the one before is left out and counted in `out_of_order` (two publishers, or a clock
    that was set back): once the newest is `patience_s` ahead, the clock was set back and the new one counts again.
    """

    def __init__(self, reader: JointReader, patience_s: float = 1.0) -> None:
        self._reader, self._patience_ns = reader, round(patience_s * 1e9)
        self.newest: JointReading | None = None
        self.out_of_order = 0

    def take(self, message: JointState) -> JointReading | None:
        """The reading, or None when it is out of order. Raises ConversionError; `newest` is kept then."""
        reading = joint_reading(self._reader, message)
        if self.newest is not None:
            behind_ns = self.newest.stamp_ns - reading.stamp_ns
            if 0 < behind_ns < self._patience_ns:
                self.out_of_order += 1
                return None
        self.newest = reading
        return reading
