"""What a run of the recipe came to, as one folder with a page: claims, figures, videos, steps and times."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from training.common.disk import write_text_atomically
from training.common.machine import describe_machine, git_commit
from training.evidence.arm import ARM
from training.evidence.groups import GROUPS
from training.evidence.row import UNITS
from training.evidence.table import numbers, success
from training.evidence.world2act import BASE, V1
from training.post_training.imagined import META
from training.recipes.pipeline.review import UNABLE, Review, Status
from training.recipes.pipeline.show import minutes
from training.recipes.world2act.places import Places

TEMPLATE = "report.html.j2"
MEDIA = "media"


@dataclass(frozen=True)
class Medium:
    """A picture or film of the report. file: relative to the page."""

    file: str
    caption: str


def write_report(places: Places, preset: str, reviews: Sequence[Review]) -> Path:
    """Write ``report/index.html`` and what it shows, whatever there is so far; returns the page."""
    import jinja2

    album = _Album(places.report / MEDIA)
    page = places.report / "index.html"
    template = files(__package__).joinpath(TEMPLATE).read_text()
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = environment.from_string(template).render(
        preset=preset,
        machine=describe_machine(),
        commit=git_commit(),
        claims=_claims(places.evidence),
        groups=list(GROUPS),
        arms=_arms(places.evidence),
        figures=list(_figures(places, album)),
        strips=list(_strips(places, album)),
        imagined=list(_imagined(places, album)),
        episodes=list(_episodes(places, album)),
        steps=[_step(review) for review in reviews],
        total=minutes(sum(review.record.seconds for review in reviews if review.record) / 60),
        left=minutes(
            sum(r.step.minutes for r in reviews if r.status is not Status.FINISHED and r.status not in UNABLE)
        ),
    )
    write_text_atomically(page, text)
    return page


class _Album:
    """Copies of pictures and films beside the page; begins empty."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._folder = folder

    def add(self, path: Path, name: str, caption: str) -> Medium:
        shutil.copyfile(path, self._folder / name)
        return Medium(f"{MEDIA}/{name}", caption)


def _claims(path: Path) -> list[dict[str, str]]:
    """The claims as text, one cell each."""
    report = _read(path)
    rows = []
    for claim in report.get("claims", []):
        estimate, interval, p = numbers(UNITS[claim["unit"]], claim["estimate"], claim["interval"], claim["p"])
        rows.append(
            {
                **{key: str(claim[key] or "") for key in ("claim", "n", "seeds", "verdict", "note", "command")},
                "estimate": estimate,
                "interval": interval,
                "p": p,
            }
        )
    return rows


def _arms(path: Path) -> list[list[str]]:
    """Name, success per group, minutes of post-training."""
    rows = []
    for name, arm in _read(path).get("arms", {}).items():
        taken = arm["training_minutes"]
        rates = [success(arm["groups"].get(group)) for group in GROUPS]
        rows.append([name, *rates, "" if taken is None else minutes(taken)])
    return rows


def _figures(places: Places, album: _Album) -> Iterator[Medium]:
    captions = {
        "world2act-trajectories.png": "Success against the number of post-training trajectories",
        "world2act-unseen-tasks.png": "Unseen tasks against the number of tasks seen in post-training",
        "world2act-score.png": "Success against the alignment score",
    }
    for name, caption in captions.items():
        path = places.evidence.parent / name
        if path.exists():
            yield album.add(path, name, caption)
    lengths = places.skill_dataset / "meta/clip-lengths.png"
    if lengths.exists():
        yield album.add(lengths, "clip-lengths.png", "Lengths of demonstrations and of skill clips")


def _strips(places: Places, album: _Album) -> Iterator[Medium]:
    curves = places.comparison / "evaluation.png"
    if curves.exists():
        yield album.add(curves, "world-models.png", "Base-WM and Skill-WM against recordings, by horizon")
    for path in sorted(places.comparison.glob("strip-*.png")):
        yield album.add(
            path, path.name, f"Held-out episode {path.stem.removeprefix('strip-')}, from left to right in time"
        )


def _imagined(places: Places, album: _Album) -> Iterator[Medium]:
    folder = places.imagined("skill")
    states = _read(folder / META).get("states", [])
    for path in sorted(folder.glob("preview-*.mp4")):
        number = int(path.stem.removeprefix("preview-"))
        if number < len(states):
            yield album.add(path, f"imagined-{number}.mp4", ", then ".join(states[number]["prompts"]))


def _episodes(places: Places, album: _Album) -> Iterator[tuple[str, list[Medium]]]:
    """(instruction, films of the base policy and of World2Act v1) of episodes that both have."""
    arms = {name: _read(places.measured(name) / ARM) for name in (BASE, V1)}
    films = {
        name: {(film["kind"], film["split"], film["seed"]): film for film in arm.get("films", [])}
        for name, arm in arms.items()
    }
    for key, first in films[BASE].items():
        pair = []
        for name in (BASE, V1):
            film = films[name].get(key)
            path = places.measured(name) / film["file"] if film else None
            if film and path and path.exists():
                ending = "succeeded" if film["success"] else "failed"
                pair.append(album.add(path, f"{name}-{'-'.join(map(str, key))}.mp4", f"{name}: {ending}"))
        if pair:
            yield first["instruction"], pair


def _step(review: Review) -> dict[str, str]:
    record = review.record
    return {
        "name": review.step.name,
        "status": str(review.status),
        "why": review.why,
        "about": minutes(review.step.minutes),
        "took": minutes(record.seconds / 60) if record else "",
        "command": record.command_line if record else "",
    }


def _read(path: Path) -> dict[str, Any]:
    """A JSON file; nothing when it is not there or cannot be read, for a report is written in any case."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content
