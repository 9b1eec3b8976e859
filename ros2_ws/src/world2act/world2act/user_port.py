"""A Fast DDS port of its own for every start of a node.

Processes on one machine exchange data through shared memory that is named after the receiver's port, and a restarted
node usually gets the port of the one that was killed. The senders are still taking that one's memory apart then, and
sometimes take apart the new one's, too: it never hears them again (docs/pitfalls.md). A port that nobody has used
cannot be mistaken. Discovery keeps its well-known ports; the new one is announced through it.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from world2act.graph import fastdds_profile
from world2act.supervision.shared_memory import SHARED_MEMORY

PROFILE_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
_NAMESPACE = "http://www.eprosima.com"
_BASE, _PER_DOMAIN, _PER_PARTICIPANT = 7400, 250, 2
"""DDS-I RTPS 2.5, section 9.6.2.3: how well-known ports follow from domain and participant."""
_SPREAD = 2 * 120
"""How far participants of one domain are apart, at most."""
_RANGES = ((20_001, 32_700), (33_001, 65_000))
"""Where to look, below Linux's ephemeral ports if the domain's own ports leave room there."""


def free_port(domain: int, folder: Path = SHARED_MEMORY) -> int | None:
    """An odd port above the domain's, behind which no participant has left shared memory; None: there is no room.

    Odd: user data is received on odd ports, so that it never takes another domain's discovery port.
    """
    lowest = _BASE + _PER_DOMAIN * domain + _SPREAD
    roomy = [(max(low, lowest), high) for low, high in _RANGES if high - lowest > 10 * _SPREAD]
    if not roomy:
        return None
    low, high = roomy[0]
    used = [int(path.name.removeprefix("fastdds_port")) for path in folder.glob("fastdds_port*[0-9]")]
    generator = random.SystemRandom()
    for _ in range(1000):
        port = generator.randrange(low | 1, high - _SPREAD, 2)
        if not any(port <= other <= port + _SPREAD for other in used):
            return port
    return None


def profile_with_port(profile: Path, domain: int, port: int) -> bytes:
    """The participant profile with `port` for user data of the domain's first participant, as XML."""
    ElementTree.register_namespace("", _NAMESPACE)
    tree = ElementTree.parse(profile)
    rtps = tree.find(f".//{{{_NAMESPACE}}}participant/{{{_NAMESPACE}}}rtps")
    if rtps is None:
        raise ValueError(f"{profile}: no participant profile")
    offsets = {
        "portBase": _BASE, "domainIDGain": _PER_DOMAIN, "participantIDGain": _PER_PARTICIPANT,
        "offsetd0": 0, "offsetd1": 10, "offsetd2": 1, "offsetd3": port - _BASE - _PER_DOMAIN * domain,
    }  # fmt: skip
    element = ElementTree.Element(f"{{{_NAMESPACE}}}port")
    for name, value in offsets.items():
        ElementTree.SubElement(element, f"{{{_NAMESPACE}}}{name}").text = str(value)
    rtps.insert(0, element)
    return bytes(ElementTree.tostring(tree.getroot(), encoding="utf-8", xml_declaration=True))


@contextlib.contextmanager
def own_port() -> Iterator[None]:
    """A fresh port for the participant that is created in here.

    Does nothing when the environment names another profile than World2Act's: whoever brings one knows the ports.
    """
    before = os.environ.get(PROFILE_VARIABLE, "")
    domain_text = os.environ.get("ROS_DOMAIN_ID") or "0"
    # What is no domain is refused by ROS itself.
    domain = int(domain_text) if domain_text.isdecimal() else 0
    port = free_port(domain)
    if not before or Path(before) != fastdds_profile() or port is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="world2act-dds-") as folder:
        own = Path(folder) / "profile.xml"
        own.write_bytes(profile_with_port(Path(before), domain, port))
        os.environ[PROFILE_VARIABLE] = str(own)
        try:
            yield
        finally:
            os.environ[PROFILE_VARIABLE] = before
