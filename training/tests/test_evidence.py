"""From records on disk to claims, table and figures; what was not measured is said, not made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.common.errors import EvaluationError
from training.evaluation.rollout import Episode
from training.evidence.arms import read_arm, read_arms, shared_episodes
from training.evidence.command import EvidenceConfig, evidence
from training.evidence.groups import GROUPS, SEEN_TASKS, UNSEEN_TASKS, GroupName, episodes_of
from training.evidence.table import markers, trained_in
from training.evidence.world2act import BASE, PIXELS, V1, V2, at_iteration
from training.recipes.pipeline.records import Record, Records
from training.tests.synthetic_evidence import GROUP_NAMES, claims, made_up_arm, settings
from world2act_core.statistics import mcnemar_exact, paired_comparison, wilson_interval


def test_groups_are_fixed_and_nested() -> None:
    for name in GROUP_NAMES:
        many = episodes_of(name, 30, 10_000)
        assert len(set(many)) == 30 and many[:7] == episodes_of(name, 7, 10_000)
        assert {e.kind for e in many} == set(GROUPS[name].kinds) and {e.split for e in many} == set(GROUPS[name].splits)
    assert not set(SEEN_TASKS) & set(UNSEEN_TASKS)
    assert {e.task for e in episodes_of("unseen-tasks", 200, 10_000)} == set(UNSEEN_TASKS)
    assert Episode("composite", "seen", 3).task == "composite"
    with pytest.raises(EvaluationError, match="at least one episode"):
        episodes_of("seen", 0, 0)


def test_claims_from_made_up_records(tmp_path: Path) -> None:
    config = settings(tmp_path)
    runs = tmp_path / "run"
    made_up_arm(runs, BASE, lambda i: i % 10 < 6)  # 60 % everywhere
    made_up_arm(runs, V1, lambda i: i % 10 < 6 or i % 20 == 7)  # the same episodes and 5 % more
    made_up_arm(runs, V2, lambda i: i % 10 < 6, ("seen",))
    made_up_arm(runs, PIXELS, lambda i: i % 10 < 5, ("seen", "perturbed"))
    Records(runs).write(Record("train-world2act-v1", "finished", {}, {}, "", seconds=90.0, cpu_seconds=30.0))
    Records(runs).write(Record("train-pixels", "finished", {}, {}, "", seconds=90.0))  # as before there was CPU time
    report = evidence(config)
    assert json.loads(config.out.read_text()) == report
    rows = claims(report)

    first = rows["World2Act v1 above base, composites"]
    assert first["estimate"] == pytest.approx(0.05) and first["n"] == 600 and first["seeds"] == "10000-10599"
    assert first["p"] == pytest.approx(2.0**-29) and first["verdict"] == "holds" and first["interval"][0] > 0.03
    assert first["details"]["only_this_one_succeeded"] == {V1: 30, BASE: 0}
    unknown = {"training_minutes": None, "training_cpu_minutes": None}
    assert first["details"]["training"] == {V1: {"training_minutes": 1.5, "training_cpu_minutes": 0.5}, BASE: unknown}
    told = {name: trained_in(report["arms"][name]) for name in (V1, PIXELS, BASE)}
    assert told == {
        V1: "0.5 min of CPU", PIXELS: "1.5 min (not comparable: wall time on a shared machine)", BASE: ""
    }  # fmt: skip
    assert first["command"] == (
        f"python -m training reproduce world2act --preset nano --out {runs} --only evaluate-world2act-v1 evaluate-base"
    )
    assert rows["World2Act v2 above base, composites"]["verdict"] == "does not hold"  # equal on every episode
    assert rows["World2Act v2 above base, perturbed"]["estimate"] is None
    assert rows["World2Act v1 above pixel-space, perturbed"]["estimate"] == pytest.approx(0.15)
    assert rows["the base policy is not saturated, composites"]["verdict"] == "holds"
    assert report["arms"][V1]["weights"] == {"sha256": f"weights of {V1}"} and len(report["protocol"]["sha256"]) == 64


def test_what_was_not_measured_has_no_number_but_a_command(tmp_path: Path) -> None:
    config = settings(tmp_path, preset="tiny")
    made_up_arm(tmp_path / "run", BASE, lambda i: i % 2 == 0)
    report = evidence(config)
    for claim in report["claims"]:
        if claim["claim"].startswith("the base policy"):
            assert claim["estimate"] == 0.5 and claim["n"] == 600
            continue
        numbers = [claim[key] for key in ("estimate", "interval", "p")]
        assert numbers == [None] * 3 and claim["n"] == 0 and claim["verdict"] == "cannot tell"
        assert claim["note"] and " reproduce world2act --preset tiny " in claim["command"]
    lora = claims(report)["World2Act v1 above the same with LoRA instead of a residual, perturbed"]
    assert lora["note"] == "not measured: world2act-v1, lora"
    assert lora["command"].endswith("--only evaluate-world2act-v1 evaluate-lora")
    assert not list(config.out.parent.glob("*.png"))


def test_too_few_episodes_tell_nothing(tmp_path: Path) -> None:
    made_up_arm(tmp_path / "run", BASE, lambda i: False, count=60)
    made_up_arm(tmp_path / "run", V1, lambda i: True, count=80)
    rows = claims(evidence(settings(tmp_path)))
    found = rows["World2Act v1 above base, perturbed"]
    assert (found["estimate"], found["n"], found["verdict"]) == (1.0, 60, "cannot tell")
    assert found["note"] == "a verdict needs 500"
    again = claims(evidence(settings(tmp_path, minimum=60)))
    assert again["World2Act v1 above base, composites"]["verdict"] == "holds"
    few = again["World2Act v1 above base, perturbed"]  # five seeds: as many coins all fall alike once in 16 times
    assert (few["clusters"], few["p"], few["verdict"]) == (5, pytest.approx(1 / 16), "cannot tell")


def test_what_a_seed_decides_is_one_observation(tmp_path: Path) -> None:
    runs = tmp_path / "run"

    def seed(place: int) -> int:
        """Of the perturbed group, from 0 on: three kinds in four splits have it."""
        return place // 12

    made_up_arm(runs, BASE, lambda i: 5 <= seed(i) < 7 or seed(i) >= 23, ("seen", "perturbed"))
    made_up_arm(runs, V1, lambda i: seed(i) < 5 or seed(i) >= 23, ("seen", "perturbed"))
    report = evidence(settings(tmp_path))
    rows = claims(report)
    found = rows["World2Act v1 above base, perturbed"]
    gained, lost = (found["details"]["only_this_one_succeeded"][name] for name in (V1, BASE))
    assert (gained, lost) == (60, 24) and (found["n"], found["clusters"]) == (600, 50)
    # Sixty episodes against 24 would be certain; five seeds against two are not.
    assert found["p"] == pytest.approx(mcnemar_exact(gained // 12, lost // 12)) and found["p"] > 0.05
    assert mcnemar_exact(gained, lost) < 0.001 and found["verdict"] == "cannot tell"
    plain = rows["World2Act v1 above base, composites"]
    assert plain["n"] == plain["clusters"] == 600 and plain["estimate"] == found["estimate"]
    low, high = (np.array(row["interval"]) for row in (plain, found))
    assert low[0] - high[0] > 0.01 and high[1] - low[1] > 0.01
    rates = report["arms"][BASE]["groups"]
    assert (rates["perturbed"]["clusters"], rates["seen"]["clusters"]) == (50, 600)
    assert np.ptp(rates["perturbed"]["interval"]) > 1.5 * np.ptp(rates["seen"]["interval"])


def test_growth_and_scores(tmp_path: Path) -> None:
    runs, config = tmp_path / "run", settings(tmp_path, checkpoints=(8, 16, 24))
    rng = np.random.default_rng(0)
    luck, noise = rng.random(600), rng.normal(0, 0.1, 600)

    def arm(name: str, rate: float, groups: tuple[GroupName, ...] = ("seen", "perturbed"), count: int = 600) -> None:
        made_up_arm(
            runs, name, lambda i: bool(luck[i] < rate), groups, count, lambda i: float(rate - luck[i] + noise[i])
        )

    for name, rate in ((BASE, 0.5), ("world2act-v1-50", 0.52), ("world2act-v1-200", 0.57), (V1, 0.6)):
        arm(name, rate)
    arm(PIXELS, 0.45)
    arm(at_iteration(V1, 0), 0.5, ("seen",), 120)
    for method in (V1, V2):
        for iteration, rate in ((8, 0.52), (16, 0.55), (24, 0.58)):
            arm(at_iteration(method, iteration), rate, ("seen",), 120)
    rows = claims(evidence(config))
    rise = rows["World2Act v1 grows with trajectories (0, 50, 200, 1000), composites"]
    rates = [rise["details"]["success"][level] for level in ("0", "50", "200", "1000")]
    assert rise["estimate"] == pytest.approx(3 * np.polyfit(range(4), rates, 1)[0]) and rise["verdict"] == "holds"
    assert rows["pixel-space grows with trajectories (0, 50, 200, 1000), composites"]["estimate"] is None
    score = rows["episodes with a higher alignment score succeed more often"]
    assert score["n"] == 600 and score["estimate"] > 0.7 and score["verdict"] == "holds"
    checkpoints = rows["checkpoints with a higher alignment score succeed more often"]
    assert checkpoints["n"] == 7 and checkpoints["estimate"] > 0.8 and checkpoints["verdict"] == "holds"
    assert checkpoints["note"] == "checkpoints of one training resemble each other: the true interval is wider"
    figures = {path.name for path in config.out.parent.glob("*.png")}
    assert figures == {"world2act-trajectories.png", "world2act-score.png"}


def test_reports_of_single_steps(tmp_path: Path) -> None:
    config, runs = settings(tmp_path), tmp_path / "run"
    latency = {
        "added_share": 0.06, "interval": [0.05, 0.08], "rounds": 400, "milliseconds": {"base": 3.0, "residual": 3.2},
        "graphs": {}, "threads": 1, "machine": "made up",
    }  # fmt: skip
    write(runs / "evaluation/latency/latency.json", latency)
    episodes = [{"seed": s, "psnr_base": 20.0 + s % 3, "psnr_skill": 20.4 + s % 3 + 0.1 * (s % 2)} for s in range(40)]
    world_models = {"episodes": episodes, "budget_clips": {"base": 8, "skill": 8, "equal": True}, "horizons": []}
    write(runs / "world-model-evaluation/evaluation.json", world_models)
    top1 = {"rate": 0.3, "n": 700, "chance": 0.002, "interval": [0.27, 0.33], "hits": 210}
    write(runs / "align/alignment.json", {"retrieval": {"top1": top1}})
    told = {"nearer_than": {"average": {"by": 0.02, "interval": [0.01, 0.03], "p": 0.001, "n": 160}}}
    write(runs / "imagination/imagination.json", {**told, "seeds": [9, 99], "error": {}, "cosine": {}, "retrieval": {}})
    rows = claims(evidence(config))
    assert rows["the residual adds at most 10 % latency"]["verdict"] == "holds"
    better = rows["Skill-WM is nearer to held-out recordings than Base-WM"]
    assert better["estimate"] == pytest.approx(0.45) and better["verdict"] == "holds" and better["n"] == 40
    assert rows["imagined video finds its own actions"]["estimate"] == pytest.approx(0.298)
    assert rows["recorded video finds its own actions"]["note"] == "align-recorded/alignment.json is not there"
    nearer = rows["actions read from imagined video are nearer to the expert's than the average chunk"]
    assert (nearer["estimate"], nearer["n"], nearer["verdict"]) == (0.02, 160, "holds")
    assert rows["actions read from imagined video are nearer to the expert's than the base policy's"]["note"] == (
        "base was not asked"
    )
    # Where the windows are known they are what counts: whole windows found or not, as few as 70.
    found = rows["imagined video finds its own actions"]
    assert "true interval is wider" in found["note"] and found["clusters"] is None
    retrieval = {"top1": top1, "by_window": [[10, 10]] * 21 + [[0, 10]] * 49}
    write(runs / "align/alignment.json", {"retrieval": retrieval})
    clustered = claims(evidence(config))["imagined video finds its own actions"]
    assert (clustered["note"], clustered["clusters"], clustered["estimate"]) == ("", 70, found["estimate"])
    low, high = wilson_interval(21, 70)
    assert clustered["interval"] == pytest.approx([low - 0.002, high - 0.002], abs=0.01)
    world_models["budget_clips"] = {"base": 8, "skill": 16, "equal": False}
    write(runs / "world-model-evaluation/evaluation.json", world_models)
    better = claims(evidence(config))["Skill-WM is nearer to held-out recordings than Base-WM"]
    assert better["verdict"] == "cannot tell" and "unequal budgets" in better["note"]
    (runs / "align/alignment.json").write_text("{")
    with pytest.raises(EvaluationError, match=r"cannot read .*alignment.json"):
        evidence(config)


def test_the_table_goes_between_its_markers(tmp_path: Path) -> None:
    begin, end = markers("world2act")
    page = tmp_path / "experiments.md"
    page.write_text(f"# Before\n{begin}\nstale\n{end}\nafter\n")
    made_up_arm(tmp_path / "run", BASE, lambda i: i % 10 < 6)
    made_up_arm(tmp_path / "run", V1, lambda i: i % 10 < 7)
    config = settings(tmp_path, page=page)
    evidence(config)
    assert "stale" in page.read_text()  # only when asked
    evidence(settings(tmp_path, page=page, update_docs=True))
    text = page.read_text()
    assert text.startswith(f"# Before\n{begin}\n\nPreset `nano`, commit ") and text.endswith(f"{end}\nafter\n")
    low, high = paired_comparison([i % 10 < 7 for i in range(600)], [i % 10 < 6 for i in range(600)]).interval
    cells = f"+10.0 points | [{100 * low:+.1f}, {100 * high:+.1f}] | < 0.001 | 600 | 10000-10599 | holds |"
    assert f"| World2Act v1 above base, composites | {cells}" in text
    assert (
        "| the residual adds at most 10 % latency | not measured |  |  |  |  | cannot tell (" in text
        and "stale" not in text
    )
    low, high = wilson_interval(420, 600)
    cell = f"70 [{100 * low:.0f}, {100 * high:.0f}] %, n 600"
    assert f"| world2act-v1 | {cell} | 70 [" in text and f" %, n 600 | {cell} |  |" in text
    assert " | 600 in 50 clusters | 10000-10049 | " in text and "interval and p go by these" in text
    evidence(settings(tmp_path, page=page, update_docs=True))
    assert page.read_text() == text
    page.write_text(f"{end}\n{begin}\n")
    with pytest.raises(EvaluationError, match="needs these two lines"):
        evidence(settings(tmp_path, page=page, update_docs=True))


def test_arms_of_different_protocols_are_not_compared(tmp_path: Path) -> None:
    made_up_arm(tmp_path / "run", BASE, lambda i: True, ("seen",), 5)
    made_up_arm(tmp_path / "run", V1, lambda i: True, ("seen",), 5, protocol="q" * 64)
    with pytest.raises(
        EvaluationError, match=r"different protocols \(pppppppppppp: base; qqqqqqqqqqqq: world2act-v1\)"
    ):
        evidence(settings(tmp_path))


def test_arms_that_are_not_finished_or_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "run/evaluation"
    made_up_arm(tmp_path / "run", BASE, lambda i: True, ("seen",), 9)
    made_up_arm(tmp_path / "run", V1, lambda i: True, ("seen",), 5)
    arms = read_arms(folder)
    assert Episode("pick", "seen", 1) not in arms[BASE].rows  # another policy's
    assert shared_episodes([arms[BASE], arms[V1]], "seen") == list(episodes_of("seen", 5, 10_000))
    assert shared_episodes([arms[BASE], arms[V1]], "unseen") == []
    assert read_arm(folder / "nothing") is None
    rows = folder / BASE / "episodes.jsonl"
    whole = rows.read_text()
    rows.write_text(whole.replace('"success": true', '"success": tr', 3))  # the first one is the other policy's
    with pytest.raises(EvaluationError, match=r"base/episodes.jsonl is damaged: .* 2 in 'seen' cannot be read; run "):
        read_arms(folder)
    rows.write_text(whole)
    (folder / BASE / "arm.json").write_text("{}")
    with pytest.raises(EvaluationError, match=r"cannot read .*arm.json.*measure that arm again"):
        read_arms(folder)
    with pytest.raises(EvaluationError, match=r"there is no .*/elsewhere; run `python -m training reproduce world2act"):
        evidence(EvidenceConfig(runs=tmp_path / "elsewhere"))


def test_what_was_made_of_earlier_results_does_not_count(tmp_path: Path) -> None:
    config, runs = settings(tmp_path), tmp_path / "run"
    for name in (BASE, V1, V2, PIXELS):
        made_up_arm(runs, name, lambda i: i % 2 == 0, ("seen",))
    made_up_arm(runs, "lora", lambda i: True, ("seen",), protocol="q" * 64)  # would be refused beside the others
    top1 = {"rate": 0.3, "n": 700, "chance": 0.002, "interval": [0.27, 0.33], "hits": 210}
    write(runs / "align/alignment.json", {"retrieval": {"top1": top1}})
    records = Records(runs)

    def finished(step: str, made: str, **inputs: str) -> None:
        records.write(Record(step, "finished", {}, {k.replace("_", "-"): v for k, v in inputs.items()}, "", made))

    finished("align", "new")
    finished("train-world2act-v1", "v1", align="old")
    finished("evaluate-world2act-v1", "", train_world2act_v1="v1")
    finished("train-world2act-v2", "v2", align="new")
    finished("evaluate-world2act-v2", "", train_world2act_v2="v2")
    records.write(Record("train-pixels", "started", {}, {}, ""))
    finished("evaluate-pixels", "", train_pixels="p")
    records.write(Record("evaluate-lora", "started", {}, {}, ""))
    report = evidence(config)
    rows = claims(report)
    assert sorted(report["arms"]) == [BASE, V2]
    assert rows["World2Act v2 above base, composites"]["n"] == 600
    found = rows["World2Act v1 above base, composites"]
    assert (found["estimate"], found["note"]) == (None, "outdated: train-world2act-v1 is older than align")
    assert (
        rows["World2Act v2 above pixel-space, composites"]["note"]
        == "outdated: evaluate-pixels is older than train-pixels"
    )
    note = rows["World2Act v1 above the same with LoRA instead of a residual, composites"]["note"]
    assert note.endswith("outdated: evaluate-lora is not finished")
    assert rows["imagined video finds its own actions"]["n"] == 700
    records.write(Record("align", "started", {}, {}, ""))
    rows = claims(evidence(config))
    assert rows["imagined video finds its own actions"]["note"] == "outdated: align is not finished"
    assert rows["World2Act v2 above base, composites"]["n"] == 0


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
