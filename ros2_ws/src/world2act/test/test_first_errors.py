"""What somebody meets who uses the command for the first time: one sentence with what was wrong and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from world2act.arm_choice import CARTESIAN, chosen_arm
from world2act.cli.main import main
from world2act.cli.options import check_domain
from world2act.errors import GraphError
from world2act.graph import graph_environment

DOMAIN = "100"  # of which nobody in these tests makes a graph


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `world2act` says on one line when it refuses."""
    assert main(arguments) == 1
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("variable", ["abc", "500", "-1", "1.5"])
def test_a_domain_variable_that_is_none_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", variable)
    with pytest.raises(GraphError, match=rf"ROS_DOMAIN_ID={variable} is no ROS domain: set it to 0 to 101"):
        check_domain(None)
    assert check_domain(7) == 7, "--domain wins over the variable"
    for fine in ("", "0", "104"):
        monkeypatch.setenv("ROS_DOMAIN_ID", fine)
        assert check_domain(None) is None


def test_an_arm_that_nobody_knows_is_refused_before_anything_starts() -> None:
    with pytest.raises(GraphError, match=r"no robot profile 'nobody'.*sim_panda.*IIWA, Kinova3, Panda"):
        chosen_arm("sim", "nobody")
    with pytest.raises(GraphError, match="no robot profile 'Sawyer'") as raised:
        chosen_arm("real", "Sawyer")
    assert "robosuite's name" not in str(raised.value), "which only the simulator has"
    assert all(chosen_arm("sim", name) == {"robot": name} for name in CARTESIAN)


def test_a_broken_bundle_is_named_and_no_traceback(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text("name: [")
    assert f"{tmp_path}/manifest.yaml" in said(capsys, "motion", "--bundle", str(tmp_path))


def test_a_folder_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    layout = tmp_path / "file" / "layout.json"
    assert f"cannot write {layout}" in said(capsys, "foxglove", "--layout", str(layout))


def test_a_recording_that_is_not_there_is_no_broken_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copy("models/tabletop-nano/manifest.yaml", tmp_path)
    text = said(capsys, "replay", str(tmp_path / "none.mcap"), "--bundle", str(tmp_path))
    assert f"there is no recording {tmp_path}/none.mcap" in text and "crash" not in text


def test_without_a_graph_the_domain_and_the_remedy_are_said() -> None:
    command = [sys.executable, "-m", "world2act.cli.main", "do", "pick up the can", "--domain", DOMAIN]
    environment = {**os.environ, **graph_environment()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    words = f"no running graph answers on ROS domain {DOMAIN}: start one with `world2act up sim`"
    assert done.returncode == 1 and words in " ".join(done.stderr.split())
