"""The reference pages say what the code does: parameters, options, limits, topics, result codes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest

from training.cli import COMMANDS
from world2act import topics
from world2act.cli.clear import Clear
from world2act.cli.demo import EPISODES, Demo
from world2act.cli.do import Do
from world2act.cli.doctor import Doctor
from world2act.cli.evaluate import Evaluate
from world2act.cli.faults import Faults
from world2act.cli.foxglove import Foxglove
from world2act.cli.main import Command
from world2act.cli.monitor import Monitor
from world2act.cli.motion import Motion
from world2act.cli.paired_success import PairedSuccess
from world2act.cli.recordings import Recordings
from world2act.cli.replay import Replay
from world2act.cli.reset import Reset
from world2act.cli.security import Security
from world2act.cli.set import Set
from world2act.cli.soak import Soak
from world2act.cli.up import Up
from world2act.graph import EXECUTABLES, GraphOptions, build_graph
from world2act.parameter_docs import parameters_page
from world2act.security.access import driver_topics, graph_access
from world2act_core.grammar import MAX_INSTRUCTION_CHARACTERS, MAX_SKILLS
from world2act_core.robot.find import find_profile

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs/reference"
INTERFACES = ROOT / "ros2_ws/src/world2act_interfaces"
SUBCOMMANDS = {
    "up": Up, "do": Do, "reset": Reset, "set": Set, "monitor": Monitor, "foxglove": Foxglove, "clear": Clear,
    "demo": Demo, "evaluate": Evaluate, "motion": Motion, "faults": Faults, "recordings": Recordings, "replay": Replay,
    "security": Security, "soak": Soak, "paired-success": PairedSuccess, "doctor": Doctor,
}  # fmt: skip
POSITIONAL = {
    "up": {"graph"}, "do": {"instruction"}, "set": {"node", "parameter", "value"}, "recordings": {"path"},
    "replay": {"file"}, "security": {"what"},
}  # fmt: skip


def test_the_parameters_page_is_up_to_date() -> None:
    command = "python -m world2act.parameter_docs docs/reference/parameters.md"
    assert (REFERENCE / "parameters.md").read_text() == parameters_page(), f"run `{command}`"


def test_every_subcommand_is_described() -> None:
    text = (REFERENCE / "command-line.md").read_text()
    assert {get_args(part)[0] for part in get_args(Command)} == set(SUBCOMMANDS.values())
    assert set(SUBCOMMANDS) == set(re.findall(r"^### world2act ([\w-]+)", text, re.M))
    assert set(COMMANDS) == set(re.findall(r"^\| `([\w-]+)` \|", text.split("## python -m training")[1], re.M))


@pytest.mark.parametrize("name", sorted(SUBCOMMANDS))
def test_exactly_the_options_there_are_are_described(name: str) -> None:
    text = (REFERENCE / "command-line.md").read_text()
    section = re.split(r"^##+ ", text.split(f"### world2act {name}\n")[1], flags=re.M)[0]
    described = set(re.findall(r"^\| `--([\w-]+)` \|", section, re.M))
    fields = {field.name for field in dataclasses.fields(SUBCOMMANDS[name])}
    assert described == {field.replace("_", "-") for field in fields - POSITIONAL.get(name, set()) - {"domain"}}
    if name == "demo":
        assert f"| `--episodes` | {EPISODES} |" in section


def test_limits_are_the_codes() -> None:
    limit = f"{MAX_INSTRUCTION_CHARACTERS} characters"
    for path in (INTERFACES / "action/ExecuteInstruction.action", INTERFACES / "msg/SkillPlan.msg"):
        assert limit in path.read_text(), path.name
    for page in ("interfaces.md", "command-line.md"):
        assert limit in (REFERENCE / page).read_text(), page
    assert MAX_SKILLS == 8 and "more than eight" in (REFERENCE / "interfaces.md").read_text()


def test_every_topic_service_and_result_code_is_listed() -> None:
    text = (REFERENCE / "interfaces.md").read_text()
    names = {value for key, value in vars(topics).items() if key.isupper()} | {topics.image_topic("<name>")}
    missing = sorted(name for name in names if f"| `{name}` |" not in text)
    assert not missing, f"docs/reference/interfaces.md says nothing about {missing}"
    codes = re.findall(r"^uint16 ([A-Z_]+)=(\d+)", (INTERFACES / "action/ExecuteInstruction.action").read_text(), re.M)
    listed = re.findall(r"^\| (\d+) \| `([A-Z_]+)` \|", text, re.M)
    assert {(name, code) for code, name in listed} == set(codes)


def test_who_sends_and_reads_a_topic_is_who_does() -> None:
    """Against the table that a system test compares with running nodes; `all` stands for every node."""
    sends: dict[str, set[str]] = {}
    reads: dict[str, set[str]] = {}
    for options in ({"lockstep": True}, {}, {"profile": "sim_panda"}):
        graph = build_graph("sim", GraphOptions(record="recordings", **options))
        profile = find_profile("sim_panda") if "profile" in options else None
        table = graph_access(graph, driver_topics(profile, ("scene",)))
        for node in graph.nodes:
            access = table[node.name]
            for names, found in ((access.publishes, sends), (access.subscribes, reads)):
                for name in names:
                    found.setdefault(re.sub("^camera/[^/]+/", "camera/<name>/", name), set()).add(node.executable)
    rows = re.findall(
        r"^\| `(\S+)` \| `\S+` ?[^|]*\| ([^|]*) \| ([^|]*) \|$", (REFERENCE / "interfaces.md").read_text(), re.M
    )
    assert len(rows) > 15
    for name, senders, readers in rows:
        for listed, found in ((senders, sends.get(name, set())), (readers, reads.get(name, set()))):
            words = set(re.findall(r"\w+", listed))
            missing = set() if "all" in words else found - words
            assert not missing, f"interfaces.md, {name}: {missing} is not listed"
            assert not (words & set(EXECUTABLES)) - found, f"interfaces.md, {name}: {words & set(EXECUTABLES) - found}"


def test_every_page_is_in_the_navigation() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages == set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
