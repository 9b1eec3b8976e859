"""Runs the demonstration's episodes through a graph that is up, with a live table, and gathers the results."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from world2act.client import GraphClient
from world2act.conversions import stamp_to_ns
from world2act.demo.episodes import DemoEpisode
from world2act.demo.observer import Observer
from world2act.demo.results import EpisodeResult
from world2act.demo.video import VideoWriter, compose
from world2act.supervision.supervisor import Supervisor
from world2act_core.types import ImageArray

ENDING_FRAMES = 8


class Show:
    """One run of the demonstration."""

    def __init__(self, supervisor: Supervisor, video: VideoWriter, lockstep: bool, console: Console) -> None:
        self._supervisor = supervisor
        self._video = video
        self._lockstep = lockstep
        self._console = console
        self._client = GraphClient(supervisor.session)
        self.observer = Observer(supervisor.session, lockstep, self._record)
        self.results: list[EpisodeResult] = []
        self._title = ""
        self._began_s = 0.0
        self._live: Live | None = None
        self._episodes: Sequence[DemoEpisode] = ()

    def run(self, episodes: Sequence[DemoEpisode]) -> list[EpisodeResult]:
        """All episodes, one after the other. Raises GraphError when the graph dies."""
        self._episodes = episodes
        with Live(self._table(), console=self._console, refresh_per_second=4) as self._live:
            for episode in episodes:
                self.results.append(self._run_one(episode))
                self._live.update(self._table())
        if not self._console.is_terminal:  # a file or a pipe gets the last table without its line end
            self._console.line()
        return self.results

    def _run_one(self, episode: DemoEpisode) -> EpisodeResult:
        self._title = f"{len(self.results) + 1}/{len(self._episodes)}  {episode.instruction}"
        answer = self._client.reset(episode.seed, episode.instruction)
        self._began_s = time.monotonic()
        outcome = self._client.execute(episode.instruction, tick=self._tick, not_before=answer.sim_time)
        success = self.observer.final_success(self._supervisor.session, stamp_to_ns(answer.sim_time))
        self._ending(success)
        return EpisodeResult(
            instruction=episode.instruction, skills=list(answer.skill_prompts), seed=episode.seed, success=success,
            seconds=round(outcome.seconds, 3), wall_seconds=round(time.monotonic() - self._began_s, 3),
            error=outcome.error, message=outcome.message,
        )  # fmt: skip

    def _tick(self) -> None:
        self._supervisor.check()
        if self._live is not None:
            self._live.update(self._table())

    def _record(self, scene: ImageArray, wrist: ImageArray) -> None:
        if self._title:
            self._video.add(compose(scene, wrist, self._title, self.observer.skill))

    def _ending(self, success: bool) -> None:
        pictures = self.observer.latest_pictures()
        if pictures is None:
            return
        frame = compose(*pictures, self._title, "success" if success else "not achieved", mark=success)
        for _ in range(ENDING_FRAMES):
            self._video.add(frame)

    def _table(self) -> Table:
        table = Table("#", "instruction", "skill", "time", "success", box=None, pad_edge=False, header_style="bold")
        for number, result in enumerate(self.results, 1):
            mark = "[green]yes[/]" if result.success else f"[red]no[/] {'' if result.error == 'NONE' else result.error}"
            table.add_row(
                str(number), result.instruction, f"{len(result.skills)} skill(s)", f"{result.seconds:.1f} s", mark
            )
        number = len(self.results)
        if number < len(self._episodes):
            elapsed = f"{time.monotonic() - self._began_s:.0f} s" if self._began_s else ""
            table.add_row(str(number + 1), self._episodes[number].instruction, self.observer.skill, elapsed, "...")
        return table
