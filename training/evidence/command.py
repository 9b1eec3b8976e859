"""``evidence``: what the measurements say about each claim, as JSON, a markdown table and figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from training.common.disk import write_text_atomically
from training.common.errors import EvaluationError
from training.common.machine import describe_machine, git_commit
from training.evidence.arm import rate_summary
from training.evidence.arms import Arm, read_arms
from training.evidence.filled import check_comparable, filled, filled_arms, is_from, other_policies
from training.evidence.groups import GROUPS
from training.evidence.kept import check_fits, kept_arms, read_earlier, sources, with_kept
from training.evidence.measurements import Measurements
from training.evidence.plots import write_plots
from training.evidence.row import Row
from training.evidence.table import arms_table, table, update_page
from training.evidence.verdict import Rules
from training.evidence.world2act import world2act_claims
from training.recipes.pipeline.records import Records

CLUSTERED = (
    "n counts episodes. Those of one seed are not independent (in different splits they are the same task, in other "
    "kinds of task objects and places are drawn alike), nor are chunks of one window and clips of one demonstration: "
    "where there are any, n says how many clusters they make, and interval and p go by these."
)
EVALUATION = "evaluation"
"""Folder of a run of the recipe with one folder per arm."""


@dataclass(frozen=True)
class EvidenceConfig:
    """Judge every claim by what `reproduce` (or `evaluate-arm`) has measured; nothing is measured here."""

    what: Annotated[Literal["world2act"], tyro.conf.Positional] = "world2act"
    preset: str = "nano"
    """Preset of `reproduce` that is named in the commands."""
    runs: Path | None = None
    """Folder of that run (default: runs/world2act-<preset>)."""
    out: Path = Path("docs/evidence/world2act.json")
    """Figures go beside it."""
    trajectories: tuple[int, ...] = (50, 200, 1000)
    """Numbers of post-training trajectories that were compared."""
    tasks: tuple[int, ...] = (2, 5, 10)
    """Numbers of tasks seen in post-training that were compared."""
    checkpoints: tuple[int, ...] = (8, 16, 24, 32)
    """Iterations whose weights were kept and measured."""
    minimum: int = 500
    """Fewest episodes, or pairs of them, that a verdict on success may rest on."""
    smallest: float = 0.02
    """Least difference of success rates that matters."""
    keep: bool = False
    """Claims and arms that this run has not measured stay as --out has them: for a run that was measured in parts."""
    fill: bool = False
    """Claims that --out has no numbers for are taken from this run, which has another base policy; the rest stays."""
    update_docs: bool = False
    """Also replace the table in --page."""
    page: Path = Path("docs/experiments.md")


def evidence(config: EvidenceConfig) -> dict[str, Any]:
    """Entry point of ``python -m training evidence``; returns what is written to ``--out``."""
    runs = config.runs or Path("runs") / f"world2act-{config.preset}"
    if not runs.is_dir():
        raise EvaluationError(
            f"there is no {runs}; run `python -m training reproduce {config.what} --preset {config.preset}` first, or "
            "name the folder of a run with --runs"
        )
    if not config.trajectories or not config.tasks:
        raise EvaluationError("--trajectories and --tasks need at least one number each")
    if config.keep and config.fill:
        raise EvaluationError("--keep is for a run with the base policy of --out, --fill for another: give one of them")
    records = Records(runs)
    names = [path.name for path in sorted((runs / EVALUATION).glob("*"))]
    outdated = {name: why for name in names if (why := records.why_outdated(f"evaluate-{name}"))}
    arms, rules = read_arms(runs / EVALUATION, outdated), Rules(config.minimum, config.smallest)
    measured = Measurements(runs, config.preset, arms, rules, outdated)
    claims = world2act_claims(config.trajectories, config.tasks, config.checkpoints)
    rows = [claim.judge(measured) for claim in claims]
    report: dict[str, Any] = json.loads(json.dumps(_report(config, measured, rows)))
    measured_now = report
    if config.keep or config.fill:
        earlier = read_earlier(config.out, "--keep" if config.keep else "--fill")
        report, rows = (_keep if config.keep else _fill)(config, report, rows, earlier)
    write_text_atomically(config.out, json.dumps(report, indent=1) + "\n")
    # Figures show one run: where others stay, only those of the claims that are this one's.
    shown = [claim for claim, row in zip(claims, rows) if not config.fill or is_from(row, measured_now)]
    figures = write_plots(measured, shown, config.out.parent)
    if config.update_docs:
        update_page(config.page, config.what, page_text(report, rows))
    counts = {
        verdict: sum(row.verdict == verdict for row in rows) for verdict in ("holds", "does not hold", "cannot tell")
    }
    print(f"{config.out}: {len(rows)} claims, {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}")
    if figures:
        print(f"figures: {', '.join(path.name for path in figures)}")
    return report


def _keep(
    config: EvidenceConfig, report: dict[str, Any], rows: list[Row], earlier: dict[str, Any]
) -> tuple[dict[str, Any], list[Row]]:
    """Report and rows with what only the earlier report has."""
    check_fits(earlier, report, config.out)
    rows = with_kept(rows, earlier)
    changes = {
        "claims": [row.to_json() for row in rows],
        "arms": kept_arms(report["arms"], earlier),
        "protocol": report["protocol"] if report["arms"] else earlier["protocol"],
    }
    return {**report, **changes}, rows


def _fill(
    config: EvidenceConfig, report: dict[str, Any], rows: list[Row], earlier: dict[str, Any]
) -> tuple[dict[str, Any], list[Row]]:
    """The earlier report and rows, with what only this one has."""
    check_comparable(earlier, report, config.out)
    rows = filled(rows, report, earlier)
    changes = {"claims": [row.to_json() for row in rows], "arms": filled_arms(report, earlier)}
    return {**earlier, **changes}, rows


def page_text(report: dict[str, Any], rows: Sequence[Row]) -> str:
    """Claims, arms, and where the numbers come from."""
    source = f"Preset `{report['preset']}`, commit {report['commit']}, {report['machine']}"
    protocol = report["protocol"]["sha256"][:12] or "none"
    places = (sources(rows), other_policies(rows))
    parts = (f"{source}; protocol `{protocol}`.", *places, CLUSTERED, table(rows), arms_table(report["arms"]))
    return "\n\n".join(part for part in parts if part)


def _report(config: EvidenceConfig, measured: Measurements, rows: Sequence[Row]) -> dict[str, Any]:
    arms = measured.arms
    return {
        "method": config.what,
        "preset": config.preset,
        "protocol": _protocol(arms),
        "rules": asdict(measured.rules),
        "groups": {name: asdict(group) for name, group in GROUPS.items()},
        "arms": {name: _arm(measured, arm) for name, arm in arms.items()},
        "commit": git_commit(),
        "machine": describe_machine(),
        "claims": [row.to_json() for row in rows],
    }


def _protocol(arms: dict[str, Arm]) -> dict[str, Any]:
    """The protocol that all arms were measured under; its hash covers which episodes there are, too."""
    if not arms:
        return {"sha256": ""}
    protocol = {key: value for key, value in next(iter(arms.values())).facts["protocol"].items() if key != "sha256"}
    whole = {**protocol, "groups": {name: asdict(group) for name, group in GROUPS.items()}}
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    return {**protocol, "sha256": digest}


def _arm(measured: Measurements, arm: Arm) -> dict[str, Any]:
    facts = arm.facts
    episodes = {name: group for name in GROUPS if (group := arm.episodes(name))}
    return {
        "weights": facts["policy"],
        "scorer": facts["scorer"],
        "groups": {name: rate_summary(group, arm.successes(group)) for name, group in episodes.items()},
        **measured.training_time(arm.name),
        "commit": facts["commit"],
        "machine": facts["machine"],
    }
