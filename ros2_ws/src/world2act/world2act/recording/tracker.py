"""When an episode begins and ends: pure decisions from what the planner says and people ask for."""

from __future__ import annotations

from dataclasses import dataclass

STARTED = "started by request"
INSTRUCTION_ENDED = "the instruction ended"
NEXT_INSTRUCTION = "the next instruction began"
PLANNER_SILENT = "the planner fell silent"
TOO_LONG = "longer than max_episode"
STOPPED = "stopped by request"
DISCARDED = "discarded by request"
RECORDER_STOPPED = "the recorder was stopped"


class RefusedError(ValueError):
    """A request makes no sense now; the text says why and what to do."""


@dataclass(frozen=True)
class Begin:
    """An episode begins. plan_id 0: not because of a plan."""

    instruction: str
    plan_id: int
    note: str


@dataclass(frozen=True)
class End:
    """The present episode ends. keep: False throws it away."""

    reason: str
    keep: bool = True


@dataclass
class _Episode:
    plan_id: int
    manual: bool
    began_s: float
    heard_s: float
    over_s: float | None = None


class EpisodeTracker:
    """One episode at a time: per accepted instruction (`automatic`), or from START to STOP.

    An automatic episode goes on for `postroll_s` after its last skill, and ends without the planner's word after
    `silence_s`. None is longer than `limit_s`. Times are those of any steady clock [s].
    """

    def __init__(self, automatic: bool, postroll_s: float, silence_s: float, limit_s: float) -> None:
        self._automatic = automatic
        self._postroll_s = postroll_s
        self._silence_s = silence_s
        self._limit_s = limit_s
        self._episode: _Episode | None = None
        self._instructions: dict[int, str] = {}
        self._finished_plan = 0

    @property
    def recording(self) -> bool:
        """Whether an episode is under way."""
        return self._episode is not None

    @property
    def plan_id(self) -> int:
        """The plan that the present episode belongs to; 0 for none."""
        return self._episode.plan_id if self._episode is not None else 0

    def instruction(self, plan_id: int) -> str:
        """What the person asked for; "" when that is not known (yet)."""
        return self._instructions.get(plan_id, "")

    def plan(self, plan_id: int, instruction: str) -> None:
        """The planner accepted an instruction. Plans are counted anew by a planner that was restarted."""
        self._instructions = {plan_id: instruction}
        if self._episode is not None and self._episode.manual and self._episode.plan_id == 0:
            self._episode.plan_id = plan_id

    def skill(self, plan_id: int, active: bool, now_s: float) -> list[Begin | End]:
        """The planner's word on what is to be done now."""
        episode = self._episode
        if not active:
            self._finished_plan = 0
            if episode is not None and not episode.manual and episode.over_s is None:
                episode.over_s = now_s
            return []
        if episode is not None and (episode.manual or episode.plan_id == plan_id):
            episode.heard_s, episode.over_s = now_s, None
            return []
        if not self._automatic or plan_id == self._finished_plan:
            return []
        actions: list[Begin | End] = [self._end(NEXT_INSTRUCTION)] if episode is not None else []
        self._episode = _Episode(plan_id, False, now_s, now_s)
        return [*actions, Begin(self.instruction(plan_id), plan_id, "")]

    def tick(self, now_s: float) -> list[End]:
        """Call this a few times a second."""
        episode = self._episode
        if episode is None:
            return []
        if now_s - episode.began_s > self._limit_s:
            return [self._end(TOO_LONG)]
        if episode.manual:
            return []
        if episode.over_s is not None and now_s - episode.over_s >= self._postroll_s:
            return [self._end(INSTRUCTION_ENDED)]
        if episode.over_s is None and now_s - episode.heard_s > self._silence_s:
            return [self._end(PLANNER_SILENT)]
        return []

    def start(self, note: str, now_s: float) -> Begin:
        """START was asked for. RefusedError while an episode is recorded."""
        if self._episode is not None:
            raise RefusedError("an episode is being recorded already: stop or discard that one first")
        self._episode = _Episode(0, True, now_s, now_s)
        return Begin(note, 0, STARTED)

    def stop(self, keep: bool, reason: str = "") -> End:
        """STOP or DISCARD was asked for. RefusedError when nothing is recorded."""
        if self._episode is None:
            raise RefusedError("no episode is being recorded: there is nothing to end")
        return self._end(reason or (STOPPED if keep else DISCARDED), keep)

    def _end(self, reason: str, keep: bool = True) -> End:
        assert self._episode is not None
        # While its skill is still active, that must not begin the episode again.
        self._finished_plan = self._episode.plan_id if self._episode.over_s is None else 0
        self._episode = None
        return End(reason, keep)
