"""Whether an episode did what was asked, from physics state. The policy never sees this."""

from __future__ import annotations

from collections.abc import Sequence

from world2act_core.skill import Skill
from world2act_sim.world import TabletopWorld

HOLD_TICKS = 3
"""A condition counts once it has held for this many control periods in a row (0.3 s)."""
PASSING = ("pick", "press")
"""What need not last: an object is put down again, a button springs back."""


class EpisodeJudge:
    """Follows an episode tick by tick.

    A skill is achieved once its condition has held for HOLD_TICKS while it or an earlier skill was pending; skills are
    achieved in order. The episode succeeds when all are achieved and all but the PASSING ones still hold at the end
    (unless a later skill of the same episode moved that object away on purpose).
    """

    def __init__(self, world: TabletopWorld, skills: Sequence[Skill]) -> None:
        self._world = world
        self.skills = tuple(skills)
        self.achieved: list[bool] = [False] * len(self.skills)
        self._held = 0

    @property
    def pending(self) -> int:
        """Index of the first skill that is not achieved yet (len(skills) when all are)."""
        return self.achieved.index(False) if False in self.achieved else len(self.skills)

    def update(self) -> bool:
        """Look at the world after a control period; True when this tick achieved a skill."""
        index = self.pending
        if index == len(self.skills):
            return False
        self._held = self._held + 1 if self._world.satisfied(self.skills[index]) else 0
        if self._held < HOLD_TICKS:
            return False
        self.achieved[index] = True
        self._held = 0
        return True

    def success(self) -> bool:
        """Whether the episode as it stands now is a success."""
        return all(self.achieved) and all(self._world.satisfied(skill) for skill in self._lasting())

    def _lasting(self) -> list[Skill]:
        lasting = []
        for index, skill in enumerate(self.skills):
            moved_later = any(later.target == skill.target for later in self.skills[index + 1 :])
            if skill.kind not in PASSING and not moved_later:
                lasting.append(skill)
        return lasting
