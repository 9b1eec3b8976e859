"""How gently one chunk gives way to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass

from world2act_core.motion.fade import Fade, State, gentle_duration


@dataclass(frozen=True)
class Blend:
    """How long a seam lasts: `shortest_s`, or longer where the two chunks disagree so much that it needs to.

    acceleration (m/s^2) and angular_acceleration (rad/s^2): what a seam may add to the motion's own. Longer seams are
    smoother but obey the new chunk later, which costs success; gentler ones last longer. shortest_s 0: no seam at all,
    the reference jumps. Raises ValueError for a negative time or an acceleration that is not positive.
    """

    shortest_s: float = 0.2
    acceleration: float = 6.0
    angular_acceleration: float = 15.0

    def __post_init__(self) -> None:
        if not 0 <= self.shortest_s < math.inf:
            raise ValueError(f"shortest_s must be 0 or more, got {self.shortest_s} s")
        if not (self.acceleration > 0 and self.angular_acceleration > 0):
            given = f"{self.acceleration} m/s^2 and {self.angular_acceleration} rad/s^2"
            raise ValueError(f"a seam must be allowed some acceleration, got {given}")

    def fade(self, start_s: float, difference: State) -> Fade | None:
        """The fade of `difference` [6] (linear, then angular) from `start_s` on; None without blending."""
        if self.shortest_s == 0:
            return None
        value, rate, _ = difference
        linear = gentle_duration(value[:3], rate[:3], self.acceleration)
        angular = gentle_duration(value[3:], rate[3:], self.angular_acceleration)
        return Fade(start_s, max(self.shortest_s, linear, angular), difference)


DEFAULT_BLEND = Blend()
NO_BLEND = Blend(shortest_s=0.0)
