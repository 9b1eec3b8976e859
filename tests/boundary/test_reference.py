"""The reference is complete: every message field, service, action and parameter is explained, and the site builds."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from world2act.base_node import COMMON_PARAMETERS
from world2act.graph import NODE_NAMES
from world2act.interface_docs import InterfaceError, interfaces_page, read_interface

ROOT = Path(__file__).resolve().parents[2]
INTERFACES = ROOT / "ros2_ws/src/world2act_interfaces"
REFERENCE = ROOT / "docs/reference"


def test_the_page_of_messages_is_up_to_date() -> None:
    command = "python -m world2act.interface_docs ros2_ws/src/world2act_interfaces docs/reference/messages.md"
    assert (REFERENCE / "messages.md").read_text() == interfaces_page(INTERFACES), f"run `{command}`"


@pytest.mark.parametrize("kind", ["msg", "srv", "action"])
def test_every_field_that_is_built_is_on_the_page(kind: str) -> None:
    """Against the compiled types, not the files that the page is made from."""
    page = (REFERENCE / "messages.md").read_text()
    module = importlib.import_module(f"world2act_interfaces.{kind}")
    for path in sorted((INTERFACES / kind).glob(f"*.{kind}")):
        built = getattr(module, path.stem)
        parts = [built] if kind == "msg" else [getattr(built, name) for name in _PARTS[kind]]
        section = page.split(f"### {path.stem}\n")[1].split("\n### ")[0]
        for name in (name for part in parts for name in part.get_fields_and_field_types()):
            assert f"`{name}`" in section, f"{path.name}: {name} is not described"


_PARTS = {"srv": ("Request", "Response"), "action": ("Goal", "Result", "Feedback")}


def test_every_interface_says_who_uses_it() -> None:
    text = (REFERENCE / "interfaces.md").read_text()
    # Part of another message: what carries them is listed.
    for name in (path.stem for kind in ("msg", "srv", "action") for path in (INTERFACES / kind).iterdir()):
        assert f"`{name}`" in text, f"docs/reference/interfaces.md does not say who sends or serves {name}"


@pytest.mark.parametrize("node", ["every node", *NODE_NAMES])
def test_every_parameter_is_explained(node: str) -> None:
    common = node == "every node"
    parameters = COMMON_PARAMETERS if common else importlib.import_module(f"world2act.nodes.{node}").PARAMETERS
    assert parameters
    for parameter in parameters:
        assert len(parameter.description) > 10, f"{node}: {parameter.name} does not say what it is"
        is_number = isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool)
        bounded = parameter.low is not None and parameter.high is not None
        assert bounded or not is_number, f"{node}: {parameter.name} is a number without a range"


def test_a_field_without_a_comment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Broken.msg"
    path.write_text("# What it is for.\n\n# Explained [m]\nfloat64 good\n\nfloat64 bad\n")
    with pytest.raises(InterfaceError, match=r"Broken\.msg:6: 'float64 bad' needs a comment"):
        read_interface(path)
    path.write_text("# What it is for.\n\n# Both [m]\nfloat64 x\nfloat64 y\n\n# A default\nint32 n 3\nnonsense\n")
    with pytest.raises(InterfaceError, match=r"Broken\.msg:9: 'nonsense' is neither"):
        read_interface(path)
    path.write_text("# What it is for.\n\n# Both [m]\nfloat64 x\nfloat64 y\n\nuint8 ONE=1\n")
    interface = read_interface(path)
    assert interface.purpose == "What it is for." and [row.names for row in interface.parts[0]] == [
        ["x", "y"],
        ["ONE=1"],
    ]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    for page in pages:
        folder = re.sub(r"(^|/)index\.md$", r"\1", page).removesuffix(".md")
        assert (tmp_path / "site" / folder / "index.html").is_file(), page
