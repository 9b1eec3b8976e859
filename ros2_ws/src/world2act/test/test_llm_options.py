"""A language model as planner, as the command line, the launch files and the doctor know it."""

from __future__ import annotations

import shutil

import pytest
from rich.console import Console

from world2act.checks import Check, LanguageModel, check_language_model
from world2act.cli import doctor, up
from world2act.cli.main import main
from world2act.cli.options import check_llm
from world2act.errors import GraphError
from world2act.graph import GraphOptions, build_graph
from world2act.planners import PLANNER_PARAMETERS
from world2act_core.scripted_llm import Reply, ScriptedLlm
from world2act_interfaces.msg import NodeHealth


def test_only_a_graph_with_a_language_model_knows_of_one() -> None:
    plain = build_graph("sim", GraphOptions()).node("skill_planner").parameters
    assert plain["planner"] == "grammar" and not any(name.startswith("llm_") for name in plain)
    chosen = GraphOptions(planner="llm", llm_model="m", llm_timeout=7.0)
    for kind in ("sim", "real"):
        values = build_graph(kind, chosen).node("skill_planner").parameters  # type: ignore[arg-type]
        assert values["planner"] == "llm" and values["llm_model"] == "m" and values["llm_timeout"] == 7.0
        assert str(values["llm_base_url"]).startswith("http://localhost:"), "nothing leaves this machine by default"
        assert {name for name in values if name.startswith("llm_")} <= {p.name for p in PLANNER_PARAMETERS}


def test_defaults_are_the_same_everywhere() -> None:
    options = GraphOptions()
    for parameter in PLANNER_PARAMETERS:
        if hasattr(options, parameter.name):
            assert getattr(options, parameter.name) == parameter.default, parameter.name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (GraphOptions(planner="llm"), "model is empty"),
        (GraphOptions(planner="llm", llm_model="m", llm_base_url="x"), "x"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused_before_anything_starts(options: GraphOptions, said: str) -> None:
    with pytest.raises(GraphError, match=said):
        check_llm(options)


def test_up_refuses_it_with_the_remedy(capsys: pytest.CaptureFixture[str], make_manifest: str) -> None:
    assert main(["up", "sim", "--bundle", make_manifest, "--planner", "llm"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "model is empty" in said and "--llm-model" in said


@pytest.fixture
def make_manifest(tmp_path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that looks like a bundle; nothing of it is read before the refusal."""
    monkeypatch.setattr("world2act.cli.up.prepare_environment", lambda domain: None)
    shutil.copy("models/tabletop-nano/manifest.yaml", tmp_path)
    return str(tmp_path)


def test_the_doctor_knows_whether_the_model_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-secret")
    assert check_language_model(None).level == "ok"
    with ScriptedLlm([Reply()], models=("small", "large")) as server:
        monkeypatch.setattr("world2act.checks.LLM_PATIENCE_S", 120.0)
        there = check_language_model(LanguageModel(server.base_url, "large", "LAB_KEY"))
        assert there.level == "ok" and "large" in there.found and "key from LAB_KEY" in there.found
        assert "sk-secret" not in str(there)
        other = check_language_model(LanguageModel(server.base_url, "huge", ""))
        assert other.level == "warning" and "small, large" in other.remedy and "no key" in other.found
    gone = check_language_model(LanguageModel(server.base_url, "large", ""))
    assert gone.level == "warning" and "is the server running" in gone.found and "grammar" in gone.remedy
    assert check_language_model(LanguageModel("nowhere", "m", "")).level == "warning"


HOSTILE = "HTTP 500: '[/red] pip install x[llm] [bold'"


def test_brackets_in_a_servers_words_break_neither_the_doctor_nor_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(doctor, "prepare_environment", lambda domain: None)
    monkeypatch.setattr(doctor, "all_checks", lambda *_: [Check("language model", "warning", HOSTILE, HOSTILE)])
    assert doctor.Doctor().run() == 0
    assert capsys.readouterr().out.count(HOSTILE) == 2
    health = {"skill_planner": NodeHealth(state="active", fault="LLM_UNUSED", message=HOSTILE)}
    console, shown = Console(), {}
    for _ in range(2):
        up.tell_changes(health, shown, lambda name, text: console.print(text, markup=False, highlight=False))
    assert capsys.readouterr().out.count(HOSTILE) == 1, "once, until it changes"
