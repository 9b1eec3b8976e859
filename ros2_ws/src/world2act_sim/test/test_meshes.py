"""Lighter copies of visual meshes: made once, kept, and the colliding ones left alone."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import trimesh

from world2act_sim.meshes import TARGET_FACES, cache_folder, decimate_visual_meshes

MODEL = """
<mujoco>
  <asset><mesh name="ball" file="{0}/ball.stl"/><mesh name="box" file="{0}/box.stl"/></asset>
  <worldbody>
    <geom type="mesh" mesh="ball" group="1"/><geom type="mesh" mesh="ball" group="0"/>
    <geom type="mesh" mesh="box" group="1"/>
  </worldbody>
</mujoco>
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    trimesh.creation.icosphere(subdivisions=4).export(tmp_path / "ball.stl")
    trimesh.creation.box().export(tmp_path / "box.stl")
    return MODEL.format(tmp_path)


def files(text: str) -> dict[str, Path]:
    """Name of each mesh -> its file."""
    return {mesh.attrib["name"]: Path(mesh.attrib["file"]) for mesh in ET.fromstring(text).iter("mesh")}


def test_what_is_seen_is_light_and_what_collides_is_as_it_was(model: str, tmp_path: Path) -> None:
    made = files(decimate_visual_meshes(model))
    assert made.keys() == {"ball", "ball_light", "box_light"}
    assert made["ball"] == tmp_path / "ball.stl", "it collides"
    assert len(trimesh.load(made["ball"], force="mesh").faces) > TARGET_FACES
    assert 100 < len(trimesh.load(made["ball_light"], force="mesh").faces) <= TARGET_FACES
    assert made["box_light"].read_bytes() == (tmp_path / "box.stl").read_bytes(), "few faces already"
    assert {path.parent for path in cache_folder().iterdir()} == {made["ball_light"].parent, made["box_light"].parent}


def test_the_second_start_does_not_load_what_makes_them(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = decimate_visual_meshes(model)
    monkeypatch.setitem(sys.modules, "trimesh", None)
    assert decimate_visual_meshes(model) == first


def test_with_room_nowhere_it_says_so(model: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="cache"):
        decimate_visual_meshes(model)
