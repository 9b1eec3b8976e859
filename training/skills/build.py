"""``skills``: demonstrations in, skill clips with their own prompts out, in the same LeRobot v3 layout."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.common.disk import write_bytes_atomically, write_text_atomically
from training.common.errors import DatasetError, TrainingError
from training.data import layout
from training.data.contract_file import claim_contract
from training.data.lerobot_reader import LeRobotReader
from training.data.lerobot_writer import discard_unfinished
from training.data.pack import pack_dataset
from training.skills.config import SkillsConfig
from training.skills.continued import FinishedClips
from training.skills.decompose import Decomposer, GrammarDecomposer
from training.skills.language_model import Asker, LanguageModelDecomposer, endpoint_asker
from training.skills.motion import trajectory_source
from training.skills.plan import PlanReport, plan_clips
from training.skills.summary import draw_lengths, summarise
from training.skills.template import load_template
from training.skills.write import stage_clip
from world2act_core.contract import Contract

SETTINGS_PATH = "meta/skills-settings.json"
SUMMARY_PATH = "meta/skills.json"
FIGURE_PATH = "meta/clip-lengths.png"


def build_skills(config: SkillsConfig) -> None:
    """Entry point of ``python -m training skills``."""
    try:
        make_skills(config)
    except KeyboardInterrupt:
        raise TrainingError("interrupted; finished clips are packed. Run the same command to continue") from None


def make_skills(config: SkillsConfig, asker: Asker | None = None) -> dict[str, Any]:
    """Write the skill dataset and return its summary; ``asker``: instead of the configured endpoint."""
    config.check()
    reader, contract = _open_source(config.dataset)
    source = trajectory_source(contract, str(config.dataset / layout.CONTRACT_PATH))
    decomposer = _decomposer(config, contract, asker)
    finished = FinishedClips.under(config.folder)
    settings = _claim_output(config, contract, reader, finished)
    minimum = config.minimum_frames or contract.execute_steps
    total = len(reader.episodes[: config.max_episodes])
    report: PlanReport | None = None
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        plans = plan_clips(reader, source, decomposer, config, minimum)
        with closing(plans), _progress() as progress:
            task = progress.add_task("skills", total=total, detail="")
            unpacked = 0
            for plan, report in plans:
                missing = finished.missing(plan, str(config.dataset)) if plan else []
                for position in missing:
                    assert plan is not None
                    stage_clip(reader, plan, position, contract, config.folder)
                unpacked += len(missing)
                if unpacked >= config.clips_per_file:
                    pack_dataset(config.folder, reader.fps, config.clips_per_file, only_full=True)
                    unpacked %= config.clips_per_file
                detail = f"{len(report.clip_frames)} clips, discarded {sum(report.discarded.values())}"
                progress.update(task, advance=1, detail=detail)
    finally:
        signal.signal(signal.SIGTERM, previous)
        reader.close()
        pack_dataset(config.folder, reader.fps, config.clips_per_file)
    return _finish(config, report, reader.fps, settings)


def _open_source(dataset: Path) -> tuple[LeRobotReader, Contract]:
    reader = LeRobotReader(dataset)
    path = dataset / layout.CONTRACT_PATH
    if not path.exists():
        raise DatasetError(f"{path} is missing; it says where the gripper is. `collect` and the importers write it")
    if not reader.episodes:
        raise DatasetError(f"{dataset} has no episodes; collect or import some first")
    return reader, Contract.from_yaml(path)


def _decomposer(config: SkillsConfig, contract: Contract, asker: Asker | None) -> Decomposer:
    if config.decomposer == "grammar":
        if not contract.vocabulary.objects:
            raise DatasetError(
                f"{config.dataset} has no vocabulary, so the grammar knows none of its objects; use --decomposer llm"
            )
        return GrammarDecomposer(contract.vocabulary)
    cache = config.llm.cache or config.folder / "meta" / "llm-cache"
    template = load_template(config.llm.template)
    return LanguageModelDecomposer(asker or endpoint_asker(config.llm, cache), template, contract.vocabulary)


def _claim_output(
    config: SkillsConfig, contract: Contract, reader: LeRobotReader, finished: FinishedClips
) -> dict[str, Any]:
    """Prepare ``out``, or continue it when it was made with the same settings from the same demonstrations; returns
    the settings."""
    if config.folder.resolve() == config.dataset.resolve():
        raise DatasetError(f"--out {config.folder} is the source dataset itself; choose another folder")
    settings = config.fingerprint()
    path = config.folder / SETTINGS_PATH
    if path.exists():
        there = json.loads(path.read_text())
        if there["hash"] != settings["hash"] and finished:
            changed = sorted(key for key in settings if key != "hash" and settings.get(key) != there.get(key))
            raise DatasetError(
                f"{config.folder} was made with other settings ({', '.join(changed)} differ); choose another --out, or "
                "delete it to make it anew"
            )
        claim_contract(contract, config.folder, str(config.dataset))
        finished.check_source(reader.episodes, str(config.dataset))
    elif (config.folder / layout.INFO_PATH).exists():
        raise DatasetError(f"{config.folder} holds another dataset; choose another --out")
    else:
        claim_contract(contract, config.folder, str(config.dataset))
    write_text_atomically(path, json.dumps(settings, indent=1))
    calibrations = config.dataset / layout.CALIBRATION_PATH
    if calibrations.exists():
        write_bytes_atomically(config.folder / layout.CALIBRATION_PATH, calibrations.read_bytes())
    discard_unfinished(config.folder)
    return settings


def _finish(config: SkillsConfig, report: PlanReport | None, fps: float, settings: dict[str, Any]) -> dict[str, Any]:
    assert report is not None  # a source without episodes is refused at the start
    summary = summarise(report, fps, settings)
    write_text_atomically(config.folder / SUMMARY_PATH, json.dumps(summary, indent=1))
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(report.discarded.items())) or "none"
    if not report.clip_frames:
        examples = "; ".join(lines[0] for lines in report.examples.values())
        raise DatasetError(
            f"{config.dataset} yields no skill clip: all {report.episodes} demonstrations were discarded ({reasons}). "
            f"For example {examples}. {config.folder / SUMMARY_PATH} has more"
        )
    if config.figure:
        draw_lengths(report.whole_frames, report.clip_frames, fps, config.folder / FIGURE_PATH)
    used = f"{summary['episodes_used']} of {summary['episodes']} demonstrations"
    print(f"{config.folder}: {summary['clips']} clips of {used}")
    print(f"discarded: {reasons}")
    agreement = summary["agreement"]
    if agreement:
        print(f"boundaries: precision {agreement['precision']}, recall {agreement['recall']}, F1 {agreement['f1']}")
    return summary


def _progress() -> Progress:
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(TextColumn("skills"), *columns, TextColumn("{task.fields[detail]}"))


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
