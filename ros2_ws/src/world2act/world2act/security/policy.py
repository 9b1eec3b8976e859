"""The table as an SROS2 policy file: what `ros2 security generate_artifacts --policy-files` reads."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping

from world2act.security.access import Access
from world2act.security.enclave import enclave

POLICY_VERSION = "0.2.0"
_RULES = (
    ("topics", "topic", (("publish", "publishes"), ("subscribe", "subscribes"))),
    ("services", "service", (("reply", "serves"), ("request", "calls"))),
    ("actions", "action", (("execute", "executes"), ("call", "sends_goals"))),
)
"""Group of rules, element of one rule, and (attribute, field of Access) of each."""


def policy_xml(table: Mapping[str, Access]) -> str:
    """The policy of a whole graph: one enclave per entry; what is not allowed in it is refused."""
    policy = ElementTree.Element("policy", version=POLICY_VERSION)
    enclaves = ElementTree.SubElement(policy, "enclaves")
    for name, access in table.items():
        element = ElementTree.SubElement(enclaves, "enclave", path=enclave(name))
        profiles = ElementTree.SubElement(element, "profiles")
        profile = ElementTree.SubElement(profiles, "profile", ns="/", node=name)
        _add_rules(profile, access, f"/{name}/")
    ElementTree.indent(policy)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(policy, encoding="unicode") + "\n"


def _add_rules(profile: ElementTree.Element, access: Access, private: str) -> None:
    """private: what `~/` stands for, written out so that nothing depends on how the reader joins names."""
    for group, one, rules in _RULES:
        for attribute, field in rules:
            names = getattr(access, field)
            if not names:
                continue
            element = ElementTree.SubElement(profile, group, {attribute: "ALLOW"})
            for name in sorted(names):
                ElementTree.SubElement(element, one).text = name.replace("~/", private)
