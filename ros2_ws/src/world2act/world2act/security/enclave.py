"""Which enclave a process belongs to; importable without ROS, so that the description of the graph can use it."""

from __future__ import annotations

import os
from collections.abc import Mapping

ENCLAVES = "/world2act"
OVERRIDE = "ROS_SECURITY_ENCLAVE_OVERRIDE"
"""Goes before every other choice of an enclave, and is inherited by every process that is started."""
OPERATOR, OBSERVER, DRIVER = "operator", "observer", "driver"
"""Roles besides the nodes: a person who gives instructions, one who looks on, and the arm with its cameras."""


def enclave(name: str) -> str:
    """Path of the enclave of a node or role."""
    return f"{ENCLAVES}/{name}"


def enclave_environment(name: str, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables that put a node's process into its own enclave; none unless `base` switches security on.

    What a person has chosen for their shell is not passed on: an operator may do less than any node.
    """
    return {OVERRIDE: enclave(name)} if _is_on(base) else {}


def enclave_arguments(role: str, base: Mapping[str, str] = os.environ) -> list[str]:
    """ROS arguments that put a person's tool into the enclave of `role`; none unless `base` switches security on.

    A person's own choice (ROS_SECURITY_ENCLAVE_OVERRIDE) goes before these arguments, in rcl.
    """
    return ["--ros-args", "--enclave", enclave(role)] if _is_on(base) else []


def _is_on(base: Mapping[str, str]) -> bool:
    return base.get("ROS_SECURITY_ENABLE") == "true"
