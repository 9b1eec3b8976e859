"""What each joint of an arm may do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointLimits:
    """Limits of N joints in the order of `names`; revolute joints in rad, prismatic ones in m.

    position_low, position_high: [N]; velocity: [N] per s; acceleration: [N] per s^2; jerk: [N] per s^3. The last three
    are positive and hold in both directions. Raises ValueError when a length differs, a value is not finite, a low is
    not below its high or a rate is not positive.
    """

    names: tuple[str, ...]
    position_low: Vector
    position_high: Vector
    velocity: Vector
    acceleration: Vector
    jerk: Vector

    def __post_init__(self) -> None:
        for field in ("position_low", "position_high", "velocity", "acceleration", "jerk"):
            values = np.array(getattr(self, field), dtype=np.float64)
            if values.shape != (len(self.names),) or not np.isfinite(values).all():
                raise ValueError(f"{field}: need one finite number per joint {list(self.names)}, got {values.tolist()}")
            values.flags.writeable = False
            object.__setattr__(self, field, values)
        for index, name in enumerate(self.names):
            if not self.position_low[index] < self.position_high[index]:
                low, high = self.position_low[index], self.position_high[index]
                raise ValueError(f"joint {name!r}: position_low {low} must be below position_high {high}")
            for field in ("velocity", "acceleration", "jerk"):
                if not getattr(self, field)[index] > 0:
                    raise ValueError(f"joint {name!r}: {field} must be positive, got {getattr(self, field)[index]}")

    @property
    def size(self) -> int:
        """Number of joints N."""
        return len(self.names)

    @property
    def rates(self) -> Vector:
        """A copy of velocity, acceleration and jerk [3, N]."""
        return np.stack([self.velocity, self.acceleration, self.jerk])

    def scaled(self, share: float) -> JointLimits:
        """The same positions with velocity, acceleration and jerk times `share` in (0, 1]; ValueError outside."""
        if not 0.0 < share <= 1.0:
            raise ValueError(f"a share of the speed must be in (0, 1], got {share}")
        rates = self.velocity * share, self.acceleration * share, self.jerk * share
        return JointLimits(self.names, self.position_low, self.position_high, *rates)
