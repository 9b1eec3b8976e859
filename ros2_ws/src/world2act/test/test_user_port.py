"""Every start of a node receives its data on a port that no other has used."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from world2act.graph import fastdds_profile
from world2act.user_port import PROFILE_VARIABLE, free_port, own_port, profile_with_port

SPACE = {"d": "http://www.eprosima.com"}


@pytest.mark.parametrize("domain", [0, 49, 101, 200])
def test_ports_are_odd_above_the_domains_own_and_below_the_highest(domain: int, tmp_path: Path) -> None:
    for _ in range(20):
        port = free_port(domain, tmp_path)
        assert port is not None and port % 2 == 1 and 7400 + 250 * domain < port and port + 240 <= 65535


def test_the_highest_domain_leaves_no_room(tmp_path: Path) -> None:
    assert free_port(232, tmp_path) is None


def test_a_port_with_something_left_behind_it_is_not_taken(tmp_path: Path) -> None:
    for number in range(20_001, 32_700, 200):
        (tmp_path / f"fastdds_port{number}").touch()
    (tmp_path / "fastdds_port24001").unlink()
    (tmp_path / "fastdds_port24201").unlink()
    (tmp_path / "fastdds_port20001_el").touch()
    port = free_port(0, tmp_path)
    assert port is not None and port > 23_801 and port + 240 < 24_401


def test_the_profile_keeps_its_transports_and_gets_the_port() -> None:
    root = ElementTree.fromstring(profile_with_port(fastdds_profile(), domain=7, port=21_001))
    assert len(root.findall(".//d:transport_descriptor", SPACE)) == 2
    offset = root.find(".//d:participant/d:rtps/d:port/d:offsetd3", SPACE)
    assert offset is not None and offset.text == str(21_001 - 7400 - 7 * 250)


def test_a_profile_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<dds/>")
    with pytest.raises(ValueError, match=r"a\.xml: no participant profile"):
        profile_with_port(tmp_path / "a.xml", 0, 21_001)


def test_the_environment_is_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROFILE_VARIABLE, str(fastdds_profile()))
    with own_port():
        own = Path(os.environ[PROFILE_VARIABLE])
        assert own.is_file() and own != fastdds_profile()
    assert os.environ[PROFILE_VARIABLE] == str(fastdds_profile()) and not own.exists()


def test_a_persons_own_profile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROFILE_VARIABLE, "/somewhere/else.xml")
    with own_port():
        assert os.environ[PROFILE_VARIABLE] == "/somewhere/else.xml"
    monkeypatch.delenv(PROFILE_VARIABLE)
    with own_port():
        assert PROFILE_VARIABLE not in os.environ
