"""Evidence in parts: what an earlier file says, and what another run adds to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.common.errors import EvaluationError
from training.evidence.command import evidence
from training.evidence.world2act import BASE, PIXELS, V1
from training.tests.synthetic_evidence import claims, made_up_arm, page_for_the_table, settings


def test_what_was_measured_before_can_be_kept(tmp_path: Path) -> None:
    page = page_for_the_table(tmp_path)
    made_up_arm(tmp_path / "run", BASE, lambda i: i % 10 < 6)
    made_up_arm(tmp_path / "run", V1, lambda i: i % 10 < 7)
    config = settings(tmp_path)
    before = evidence(config)
    # Another machine has the same base policy and one more arm, but not the first one.
    made_up_arm(tmp_path / "other", BASE, lambda i: i % 10 < 6)
    made_up_arm(tmp_path / "other", PIXELS, lambda i: i % 10 < 5)
    more = {"runs": tmp_path / "other", "keep": True}
    report = evidence(settings(tmp_path, page=page, update_docs=True, **more))
    old, new = claims(before), claims(report)
    name = "World2Act v1 above base, composites"
    assert new[name] == {**old[name], "source": {"commit": before["commit"], "machine": before["machine"]}}
    assert new["the base policy is not saturated, composites"].get("source") is None
    assert list(report["arms"]) == [BASE, PIXELS, V1] and report["protocol"] == before["protocol"]
    # What needs episodes of both cannot be said: only their counts are left of the first one's.
    assert new["World2Act v1 above pixel-space, composites"]["estimate"] is None
    text = page.read_text()
    assert "Measured this time: the base policy is not saturated, composites; " in text
    assert f"The other rows and arms are from before (commit {before['commit']}, {before['machine']})." in text
    # Kept again, a row still says where it was measured.
    json_text = config.out.read_text().replace(before["machine"], "a third machine")
    config.out.write_text(json_text)
    again = claims(evidence(settings(tmp_path, **more)))[name]
    assert again["source"]["machine"] == "a third machine"


def other_base(runs: Path, weights: str = "weights of another base") -> None:
    """Give the arm `base` other weights."""
    facts = runs / "evaluation/base/arm.json"
    facts.write_text(facts.read_text().replace("weights of base", weights))


def test_what_is_missing_can_be_measured_with_another_base_policy(tmp_path: Path) -> None:
    page = page_for_the_table(tmp_path)
    made_up_arm(tmp_path / "run", BASE, lambda i: i % 10 < 6)
    made_up_arm(tmp_path / "run", V1, lambda i: i % 10 < 7)
    before = evidence(settings(tmp_path))
    # Another run, of another base policy, has the same arm with other results, and one that the first lacks.
    for name, good in ((BASE, 4), (V1, 5), ("lora", 4)):
        made_up_arm(tmp_path / "other", name, lambda i, good=good: i % 10 < good)
    other_base(tmp_path / "other", "12345678 of another base")
    more = {"runs": tmp_path / "other", "fill": True, "page": page, "update_docs": True}
    report = evidence(settings(tmp_path, **more))
    old, new = claims(before), claims(report)
    kept, added = "World2Act v1 above base, composites", "World2Act v1 above the same with LoRA instead of a residual"
    here = {"commit": before["commit"], "machine": before["machine"]}
    assert new[kept] == {**old[kept], "source": here}
    assert new[f"{added}, composites"]["estimate"] == pytest.approx(0.1)
    assert new[f"{added}, composites"]["source"]["base policy"] == "12345678"
    assert new["the residual adds at most 10 % latency"]["estimate"] is None
    assert list(report["arms"]) == [BASE, "base (from 12345678)", "lora (from 12345678)", V1, f"{V1} (from 12345678)"]
    assert (report["commit"], report["protocol"]) == (before["commit"], before["protocol"])
    text = page.read_text()
    assert f"whose arms begin with the base policy 12345678 (commit {before['commit']}" in text
    assert f": {added}, composites; {added}, perturbed." in text
    assert f"Measured at commit {before['commit']}, {before['machine']}." in text and "this time" not in text
    # Measured on, the row of that run is the newer one; the other rows stay, and so does all of it with --keep.
    made_up_arm(tmp_path / "other", "lora", lambda i: i % 10 < 3)
    again = claims(evidence(settings(tmp_path, **more)))
    assert again[f"{added}, composites"]["estimate"] == pytest.approx(0.2) and again[kept] == new[kept]
    whole = claims(evidence(settings(tmp_path, keep=True)))
    assert whole[f"{added}, composites"] == again[f"{added}, composites"] and whole[kept] == old[kept]


def test_what_cannot_be_filled_in_is_refused(tmp_path: Path) -> None:
    made_up_arm(tmp_path / "run", V1, lambda i: i % 10 < 7)
    evidence(settings(tmp_path))
    with pytest.raises(EvaluationError, match="--fill: this run has not measured its base policy"):
        evidence(settings(tmp_path, fill=True))
    made_up_arm(tmp_path / "run", BASE, lambda i: i % 10 < 6)
    evidence(settings(tmp_path))
    with pytest.raises(EvaluationError, match="this run has the base policy of .*: use --keep"):
        evidence(settings(tmp_path, fill=True))
    other_base(tmp_path / "run")
    with pytest.raises(EvaluationError, match="--fill: other in this run than in .*: the rules; give another --out"):
        evidence(settings(tmp_path, fill=True, minimum=7))
    with pytest.raises(EvaluationError, match="give one of them"):
        evidence(settings(tmp_path, fill=True, keep=True))


def test_what_does_not_fit_is_not_kept(tmp_path: Path) -> None:
    made_up_arm(tmp_path / "run", BASE, lambda i: i % 10 < 6)
    config = settings(tmp_path, keep=True)
    with pytest.raises(EvaluationError, match=r"--keep: cannot read .*world2act.json.*leave --keep out"):
        evidence(config)
    evidence(settings(tmp_path))
    before = config.out.read_text()
    facts = tmp_path / "run/evaluation/base/arm.json"
    facts.write_text(facts.read_text().replace("weights of base", "others"))
    with pytest.raises(EvaluationError, match=r"--keep: other in this run than in .*: the weights of base; give"):
        evidence(config)
    with pytest.raises(EvaluationError, match=r"the rules, the weights of base"):
        evidence(settings(tmp_path, keep=True, minimum=7))
    assert config.out.read_text() == before
    config.out.write_text("[]")
    with pytest.raises(EvaluationError, match=r"--keep: cannot read"):
        evidence(config)
    config.out.write_text('{"claims": []}')
    with pytest.raises(EvaluationError, match=r"lacks arms, commit, machine"):
        evidence(config)
