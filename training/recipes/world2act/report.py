"""What a run of the recipe came to, as one folder with a page: claims, figures, videos, steps and times."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from training.common.disk import naming_full_disk, write_text_atomically
from training.common.machine import describe_machine, git_commit
from training.evidence.arm import ARM
from training.evidence.groups import GROUPS
from training.evidence.row import UNITS
from training.evidence.table import count, numbers, success, trained_in
from training.evidence.world2act import BASE, V1
from training.post_training.imagined import META
from training.recipes.pipeline.review import UNABLE, UP_TO_DATE, Review
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
        told=list(_told(places, album)),
        monitor=list(_monitor(places, album)),
        episodes=list(_episodes(places, album)),
        steps=[_step(review) for review in reviews],
        total=minutes(sum(review.record.seconds for review in reviews if review.record) / 60),
        left=minutes(sum(r.step.minutes for r in reviews if r.status not in (*UP_TO_DATE, *UNABLE))),
    )
    write_text_atomically(page, text)
    album.remove_others()
    return page


class _Album:
    """Copies of pictures and films beside the page.

    Each is put there as a whole, and what an earlier page showed goes last: recipes that run side by side write this
    report at the same time, and one that is stopped meanwhile leaves the page that was there with all it shows.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._names: set[str] = set()

    def add(self, path: Path, name: str, caption: str) -> Medium:
        temporary = self._folder / f".{os.getpid()}-{name}"
        with naming_full_disk(self._folder / name):
            try:
                shutil.copyfile(path, temporary)
                temporary.replace(self._folder / name)
            finally:
                temporary.unlink(missing_ok=True)
        self._names.add(name)
        return Medium(f"{MEDIA}/{name}", caption)

    def remove_others(self) -> None:
        """Whatever was not added."""
        for path in self._folder.iterdir():
            if path.name not in self._names and not path.name.startswith("."):
                path.unlink(missing_ok=True)


def _claims(path: Path) -> list[dict[str, str]]:
    """The claims as text, one cell each."""
    report = _read(path)
    rows = []
    for claim in report.get("claims", []):
        estimate, interval, p = numbers(UNITS[claim["unit"]], claim["estimate"], claim["interval"], claim["p"])
        rows.append(
            {
                **{key: str(claim[key] or "") for key in ("claim", "seeds", "verdict", "note", "command")},
                "n": count(claim["n"], claim.get("clusters")),
                "estimate": estimate,
                "interval": interval,
                "p": p,
            }
        )
    return rows


def _arms(path: Path) -> list[list[str]]:
    """Name, success per group, how long post-training took."""
    rows = []
    for name, arm in _read(path).get("arms", {}).items():
        rates = [success(arm["groups"].get(group)) for group in GROUPS]
        rows.append([name, *rates, trained_in(arm)])
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


def _told(places: Places, album: _Album) -> Iterator[Medium]:
    """Curves and strips of ``measure-imagination``."""
    curves = places.imagination / "imagination.png"
    if curves.exists():
        caption = (
            "Held-out skill clips, chunk by chunk: imagined and recorded codes, the base policy, the average chunk"
        )
        yield album.add(curves, "imagination.png", caption)
    for path in sorted(places.imagination.glob("strip-*.png")):
        yield album.add(path, f"imagination-{path.name}", "Recorded, imagined, the recording through the VAE")


def _monitor(places: Places, album: _Album) -> Iterator[Medium]:
    """What ``calibrate-monitor`` left."""
    folder = places.measured(f"bundle-{V1}") / "monitor"
    captions = {"roc.png": "Failures against false alarms, both halves", "scores.png": "The averaged score over time"}
    for name, caption in captions.items():
        if (folder / name).exists():
            yield album.add(folder / name, f"monitor-{name}", caption)


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
