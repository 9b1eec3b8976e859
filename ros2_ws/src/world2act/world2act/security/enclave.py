"""Which enclave a process belongs to; importable without ROS, so that the description of the graph can use it."""

from __future__ import annotations

import os
from collections.abc import Mapping

ENCLAVES = "/world2act"


def enclave(name: str) -> str:
    """Path of the enclave of a node or role."""
    return f"{ENCLAVES}/{name}"


def enclave_environment(name: str, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables that put one process into its enclave; none unless security is switched on in `base`.

    A person who has chosen enclaves otherwise keeps them.
    """
    variable = "ROS_SECURITY_ENCLAVE_OVERRIDE"
    if base.get("ROS_SECURITY_ENABLE") != "true" or variable in base:
        return {}
    return {variable: enclave(name)}
