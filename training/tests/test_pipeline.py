"""Steps of a recipe: what is finished stays, what changed is made anew with all that reads it, and it can stop."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import tyro

from training import cli
from training.common.errors import TrainingError
from training.recipes.pipeline import runner
from training.recipes.pipeline.command_line import arguments, command_line
from training.recipes.pipeline.fingerprint import fingerprint, settings
from training.recipes.pipeline.records import Records
from training.recipes.pipeline.review import Status, review_steps
from training.recipes.pipeline.runner import Outcome, RecipeInterrupted, run_steps
from training.recipes.pipeline.select import known_name, with_inputs
from training.recipes.pipeline.show import minutes, print_plan
from training.recipes.pipeline.step import Step, check_steps
from training.tests.synthetic_steps import RAN, Inner, WriteConfig, register, step


@pytest.fixture(autouse=True)
def _command(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


def chain(root: Path, **changes: object) -> list[Step]:
    """data -> model -> score, and other beside them; ``changes`` concern the model."""
    return [
        step(root, "data"),
        step(root, "model", "data", **changes),
        step(root, "score", "model"),
        step(root, "other", "data"),
    ]


def run(steps: list[Step], root: Path, **options: object) -> tuple[Outcome, list[str]]:
    """Outcome and the lines that were said; RAN holds what this run wrote."""
    RAN.clear()
    lines: list[str] = []
    return run_steps(steps, Records(root), say=lines.append, **options), lines  # type: ignore[arg-type]


def states(steps: list[Step], root: Path) -> dict[str, str]:
    return {review.step.name: str(review.status) for review in review_steps(steps, Records(root))}


def test_finished_steps_are_not_repeated(tmp_path: Path) -> None:
    steps = chain(tmp_path)
    outcome, lines = run(steps, tmp_path)
    assert outcome.ran == RAN == ["data", "model", "score", "other"]
    assert lines[0] == "[1/4] data: to do, about 1 min"
    outcome, lines = run(steps, tmp_path)
    assert not outcome.ran and not RAN and set(states(steps, tmp_path).values()) == {"finished"}
    assert lines == [
        f"[{i + 1}/4] {name}: finished already" for i, name in enumerate(["data", "model", "score", "other"])
    ]
    record = Records(tmp_path).read("model")
    assert record is not None and record.inputs["data"] == Records(tmp_path).read("data").made  # type: ignore[union-attr]
    assert record.command_line.startswith("python -m training write --out ") and record.machine and record.commit


def test_a_changed_setting_repeats_the_step_and_what_reads_it(tmp_path: Path) -> None:
    run(chain(tmp_path), tmp_path)
    changed = chain(tmp_path, text="y", inner=Inner(rate=2.0))
    found = {review.step.name: (review.status, review.why) for review in review_steps(changed, Records(tmp_path))}
    assert found["model"] == (Status.CHANGED, "inner, text") and found["score"] == (Status.OUTDATED, "after model")
    assert found["data"][0] is found["other"][0] is Status.FINISHED
    outcome, lines = run(changed, tmp_path)
    assert outcome.ran == ["model", "score"]
    assert (
        "[2/4] model: changed (inner, text), about 1 min" in lines
        and "[3/4] score: outdated (other model), about 1 min" in lines
    )
    # What was there is neither continued nor lost.
    assert (tmp_path / "model").read_text() == "y" and (tmp_path / "replaced/model-model-1").read_text() == "x"
    assert any("replaced/model-model-1" in line for line in lines)
    assert Records(tmp_path).read("model").replaced == ["replaced/model-model-1"]  # type: ignore[union-attr]
    assert not run(changed, tmp_path)[0].ran
    assert run(chain(tmp_path), tmp_path)[0].ran == ["model", "score"]  # and back again


def test_how_a_step_is_run_is_no_change(tmp_path: Path) -> None:
    run(chain(tmp_path), tmp_path)
    assert not run(chain(tmp_path, workers=7), tmp_path)[0].ran
    one = settings(step(tmp_path, "a", "b"), tmp_path)
    assert one["config"]["out"] == "<root>/a" and one["config"]["reads"] == ["<root>/b"]
    other = settings(step(tmp_path / "elsewhere", "a", "b"), tmp_path / "elsewhere")
    assert one == other and fingerprint(one, {"b": "1"}) == fingerprint(other, {"b": "1"}) != fingerprint(
        one, {"b": "2"}
    )


def test_processor_time_is_that_of_all_processes(tmp_path: Path) -> None:
    steps = [step(tmp_path, "data"), step(tmp_path, "model", "data", trouble="busy")]
    run(steps, tmp_path)
    idle, busy = (Records(tmp_path).read(name) for name in ("data", "model"))
    assert idle is not None and idle.cpu_seconds is not None and idle.cpu_seconds < 0.3
    assert busy is not None and busy.cpu_seconds is not None and busy.cpu_seconds >= 0.3
    # A record from before there was any can be read; what was killed, and what goes on from either, has none.
    path = tmp_path / "steps/model.json"
    content = json.loads(path.read_text())
    del content["cpu_seconds"]
    path.write_text(json.dumps({**content, "state": "started"}))
    assert Records(tmp_path).read("model").cpu_seconds is None  # type: ignore[union-attr]
    run(steps, tmp_path)
    again = Records(tmp_path).read("model")
    assert again is not None and again.state == "finished" and again.cpu_seconds is None and again.seconds >= 0.3


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """A shell has its background processes ignore SIGINT, and what they start inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize("trouble", ["ctrl-c", "terminated", "asked"])
def test_an_interrupted_run_goes_on_where_it_stopped(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP_TROUBLE", "model")
    steps = chain(tmp_path, trouble=trouble)
    with pytest.raises(RecipeInterrupted, match=r"interrupted in step 'model'; run the same command again"):
        run(steps, tmp_path)
    assert RAN == ["data", "model"] and states(steps, tmp_path)["model"] == "interrupted"
    assert states(steps, tmp_path)["score"] == "to do"
    monkeypatch.delenv("STEP_TROUBLE")
    outcome, _ = run(steps, tmp_path)
    assert outcome.ran == ["model", "score", "other"] and outcome.ran == RAN
    # A step that stops tidily leaves something, which is continued and not put aside.
    assert (tmp_path / "model").read_text() == ("xx" if trouble == "asked" else "x")
    assert not (tmp_path / "replaced").exists()


def test_an_interruption_while_a_step_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = chain(tmp_path)

    def interrupted(step: Step) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runner, "open_command", interrupted)
        with pytest.raises(RecipeInterrupted, match=r"interrupted in step 'data'"):
            run(steps, tmp_path)
    assert states(steps, tmp_path)["data"] == "interrupted"
    outcome, _ = run(steps, tmp_path)
    assert outcome.ran[0] == "data"


def test_an_interruption_anywhere_else_ends_the_command_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert cli.main(["reproduce"]) == 130
    assert capsys.readouterr().err == "error: interrupted; what was finished is kept\n"


def test_sigterm_ends_a_command_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def terminated(name: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(importlib, "import_module", terminated)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["evaluate"]) == 130 and signal.getsignal(signal.SIGTERM) is before
    assert capsys.readouterr().err == "error: interrupted; what was finished is kept\n"


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("error", "the disk is made of cheese"),
        ("bug", "ZeroDivisionError: one over nothing"),
        ("nothing", "it ended without leaving"),
    ],
)
def test_a_step_that_fails_stops_only_what_needs_it(
    tmp_path: Path, trouble: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP_TROUBLE", "model")
    steps = chain(tmp_path, trouble=trouble)
    outcome, lines = run(steps, tmp_path)
    assert outcome.ran == ["data", "other"] and outcome.failed["model"].startswith(message)
    assert outcome.left_out == {"score": "needs model"} and "[3/4] score: left out, needs model" in lines
    monkeypatch.delenv("STEP_TROUBLE")
    assert run(steps, tmp_path)[0].ran == ["model", "score"]


def test_what_is_not_kept_is_made_again_only_for_what_has_to_run(tmp_path: Path) -> None:
    steps = chain(tmp_path)
    run(steps, tmp_path)
    made = Records(tmp_path).read("data").made  # type: ignore[union-attr]
    (tmp_path / "data").unlink()
    (tmp_path / "model").unlink()
    found = {review.step.name: (str(review.status), review.why) for review in review_steps(steps, Records(tmp_path))}
    assert found["data"] == ("not kept", "data is gone") and found["model"] == ("not kept", "model is gone")
    assert found["score"] == found["other"] == ("finished", "")
    outcome, lines = run(steps, tmp_path)
    assert not outcome.ran and not outcome.left_out
    assert lines[0] == (
        "[1/4] data: finished (data is gone; nothing that is to run reads it, --only data makes it again)"
    )
    # A changed score reads the model, which reads the data; other has nothing to do with it.
    steps[2] = step(tmp_path, "score", "model", text="y")
    outcome, lines = run(steps, tmp_path)
    assert (
        outcome.ran == RAN == ["data", "model", "score"] and "[1/4] data: not kept (data is gone), about 1 min" in lines
    )
    # It is the same result: what was made of it is not outdated.
    assert Records(tmp_path).read("data").made == made  # type: ignore[union-attr]
    assert set(states(steps, tmp_path).values()) == {"finished"}
    assert not Records(tmp_path).why_outdated("other")
    (tmp_path / "data").unlink()
    assert run(steps, tmp_path, only=with_inputs(steps, ("data",)), asked=("data",))[0].ran == ["data"]


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize("trouble", ["ctrl-c", "error"])
def test_what_reads_a_result_waits_until_it_is_whole_again(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = chain(tmp_path)
    steps[1] = step(tmp_path, "model", "data", trouble=trouble)
    run(steps, tmp_path)
    (tmp_path / "model").unlink()
    steps[2] = step(tmp_path, "score", "model", text="y")
    monkeypatch.setenv("STEP_TROUBLE", "model")
    if trouble == "ctrl-c":
        with pytest.raises(RecipeInterrupted):
            run(steps, tmp_path)
    else:
        outcome, _ = run(steps, tmp_path)
        assert outcome.failed == {"model": "the disk is made of cheese"} and outcome.left_out == {
            "score": "needs model"
        }
    assert (tmp_path / "score").read_text() == "x" and states(steps, tmp_path)["model"] == "interrupted"
    monkeypatch.delenv("STEP_TROUBLE")
    assert run(steps, tmp_path)[0].ran == ["model", "score"]
    assert set(states(steps, tmp_path).values()) == {"finished"}


def test_a_step_that_grows_keeps_what_it_has(tmp_path: Path) -> None:
    def steps(text: str, rate: float = 1.0) -> list[Step]:
        grown = step(tmp_path, "data", text=text, inner=Inner(rate), extends=("text",))
        return [grown, step(tmp_path, "model", "data")]

    run(steps("a"), tmp_path)
    outcome, _ = run(steps("b"), tmp_path)
    assert outcome.ran == ["data", "model"] and (tmp_path / "data").read_text() == "ab"
    run(steps("c", rate=2.0), tmp_path)
    assert (tmp_path / "data").read_text() == "c" and (tmp_path / "replaced/data-data-1").read_text() == "ab"


def test_a_step_that_overwrites_puts_nothing_aside(tmp_path: Path) -> None:
    run([step(tmp_path, "table", overwrites=True)], tmp_path)
    run([step(tmp_path, "table", overwrites=True, text="y")], tmp_path)
    assert (tmp_path / "table").read_text() == "xy" and not (tmp_path / "replaced").exists()
    run([step(tmp_path, "table", overwrites=True, text="y")], tmp_path, forced=("table",))
    assert (tmp_path / "table").read_text() == "y" and (tmp_path / "replaced/table-table-1").exists()


def test_what_lies_outside_the_run_is_not_moved(tmp_path: Path) -> None:
    root = tmp_path / "run"
    run([step(tmp_path, "data")], root)
    outcome, _ = run([step(tmp_path, "data", text="y")], root)
    assert "lies outside" in outcome.failed["data"] and (tmp_path / "data").read_text() == "x"


def test_steps_without_a_command_are_reported_and_left_out(tmp_path: Path) -> None:
    steps = [
        step(tmp_path, "data"),
        step(tmp_path, "fused", "data", command="no-such-command"),
        step(tmp_path, "timed", "fused"),
        step(tmp_path, "table", uses=("data", "timed")),
        Step("foreign", "write", {"out": tmp_path / "foreign", "colour": "red"}, (tmp_path / "foreign",)),
        Step("mapped", "write", {"out": tmp_path / "mapped", "text": "z"}, (tmp_path / "mapped",)),
    ]
    found = {review.step.name: (str(review.status), review.why) for review in review_steps(steps, Records(tmp_path))}
    assert found["fused"] == ("no command", "there is no `python -m training no-such-command` here")
    assert found["timed"] == ("blocked", "needs fused") and found["table"][0] == "to do"
    assert found["foreign"] == ("no command", "`python -m training write` has no option colour")
    outcome, _ = run(steps, tmp_path)
    assert outcome.ran == ["data", "table", "mapped"] and set(outcome.left_out) == {"fused", "timed", "foreign"}
    assert (tmp_path / "mapped").read_text() == "z"
    assert Records(tmp_path).read("table").inputs["timed"] is None  # type: ignore[union-attr]


def test_some_steps_only_and_one_anew(tmp_path: Path) -> None:
    steps = chain(tmp_path)
    outcome, _ = run(steps, tmp_path, only=with_inputs(steps, ("score",)))
    assert outcome.ran == ["data", "model", "score"]
    assert run(steps, tmp_path)[0].ran == ["other"]
    assert run(steps, tmp_path, forced=("model",))[0].ran == ["model", "score"]
    with pytest.raises(TrainingError, match="no step 'scores'; did you mean score"):
        known_name(steps, "scores")


def test_a_list_of_steps_must_make_sense(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="'data' is in the list twice"):
        check_steps([step(tmp_path, "data"), step(tmp_path, "data")])
    with pytest.raises(TrainingError, match="'model' reads data, which no step before it makes"):
        check_steps([step(tmp_path, "model", "data"), step(tmp_path, "data")])


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    steps = chain(tmp_path)
    run(steps, tmp_path)
    (tmp_path / "steps/model.json").write_text("{")
    with pytest.raises(TrainingError, match=r"cannot read .*model.json.*delete it to run step 'model' again"):
        run(steps, tmp_path)
    (tmp_path / "steps/model.json").write_text(json.dumps({"step": "model"}))
    with pytest.raises(TrainingError, match="cannot read"):
        run(steps, tmp_path)


def test_command_lines_are_what_tyro_reads(tmp_path: Path) -> None:
    config = WriteConfig(
        tmp_path / "a b", text="two words", reads=(Path("x"), Path("y")), switch=True, inner=Inner(0.25, ("p", "q"))
    )
    assert tyro.cli(WriteConfig, args=arguments(config)) == config
    back = dataclasses.replace(config, switch=False, inner=Inner())
    assert arguments(back) == ["--out", str(tmp_path / "a b"), "--text", "two words", "--reads", "x", "y"]
    assert (
        command_line(Step("s", "write", {"text_size": 3, "on": False}, ()))
        == "python -m training write --text-size 3 --no-on"
    )


def test_the_plan_on_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = [dataclasses.replace(s, minutes=40.0) for s in chain(tmp_path)]
    run(steps[:1], tmp_path)
    print_plan(review_steps(steps, Records(tmp_path)))
    shown = capsys.readouterr().out
    assert "4 steps, 1 finished, 0 cannot run; about 2 h 00 left of 2 h 40 on two CPU cores" in shown
    assert [minutes(value) for value in (0.5, 12.4, 785)] == ["30 s", "12 min", "13 h 05"]
