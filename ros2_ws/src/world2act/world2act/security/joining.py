"""Joining a ROS graph with security switched on: what is missing, said with the variable and the remedy.

Importable without ROS. rclpy's own words for a keystore that nobody has named are "error not set".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from world2act.errors import ConfigurationError

HOW_TO = "docs/how-to/secure-the-graph.md"


@contextmanager
def joining(base: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Around the making of a context or node: with security on, raises ConfigurationError for what ROS refuses."""
    try:
        yield
    except RuntimeError as error:  # rclpy's RCLError, which has no public name
        if base.get("ROS_SECURITY_ENABLE") != "true":
            raise
        raise ConfigurationError(*_refusal(str(error), base)) from error


def _refusal(words: str, base: Mapping[str, str]) -> tuple[str, str]:
    """Cause and remedy, from what rclpy said."""
    on = f"security is on (ROS_SECURITY_ENABLE=true, ROS_SECURITY_STRATEGY={base.get('ROS_SECURITY_STRATEGY', '')})"
    if not base.get("ROS_SECURITY_KEYSTORE"):
        cause = "ROS_SECURITY_KEYSTORE names no keystore"
        remedy = f"export it: the folder that `ros2 security create_keystore` made; {HOW_TO} has every step"
    elif "security libraries" in words:
        cause = "the Fast DDS of this ROS 2 was built without it, as that of the wheels is"
        remedy = f"use a ROS 2 installation whose Fast DDS has security ({HOW_TO}); ROS_SECURITY_ENABLE=false opens it"
    else:
        cause = " ".join(words.split())
        remedy = (
            f"make the keys with `ros2 security generate_artifacts`, or correct ROS_SECURITY_KEYSTORE and "
            f"ROS_SECURITY_ENCLAVE_OVERRIDE ({HOW_TO})"
        )
    return f"{on}, and this process cannot join the graph: {cause}", remedy


def open_although_asked(base: Mapping[str, str] = os.environ) -> str:
    """Why the graph is open although somebody touched its lock; "" when it is closed or nobody did."""
    wanted = base.get("ROS_SECURITY_ENABLE", "")
    if wanted not in ("", "true", "false"):
        return f"ROS_SECURITY_ENABLE={wanted} switches nothing on, only `true` does: this graph is open"
    strategy = base.get("ROS_SECURITY_STRATEGY", "")
    if wanted == "true" and strategy != "Enforce":
        said = f"is {strategy!r}" if strategy else "is not set"
        return f"ROS_SECURITY_STRATEGY {said}, not Enforce: whoever has no keys takes part too, this graph is open"
    return ""
