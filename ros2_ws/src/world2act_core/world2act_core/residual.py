"""The residual head on the robot: what it does to a chunk, and the graph that works on top of any policy."""

from __future__ import annotations

import numpy as np

from world2act_core.contract import Contract
from world2act_core.types import FloatArray


def residual_size(actions: FloatArray, base: FloatArray, contract: Contract) -> float:
    """Mean absolute change of the executed steps [M, A] against the base's, in shares of half the contract's range."""
    half = (contract.action_high - contract.action_low) / 2
    return float(np.mean(np.abs(np.asarray(actions, np.float32) - base) / half))
