"""What each check has found: now, ever, and whether its reaction still goes on."""

from __future__ import annotations

from world2act_core.safety.checks import BY_NAME
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import FlagReport, Level, Reaction, SafetyEvent


class _Flag:
    def __init__(self, name: str, settings: SafetySettings) -> None:
        self.name = name
        self.reaction = settings.reaction(name)
        self.latches = settings.latches(name)
        self.level, self.severity = self.reaction.level, self.reaction.severity
        self.active = self.latched = False
        self.count = 0
        self.last_s = 0.0
        self.message = ""

    def report(self) -> FlagReport:
        level = self.level if self.active or self.latched else Level.OK
        return FlagReport(
            self.name, level, self.reaction, self.active, self.latched, self.count, self.last_s, self.message
        )


class FlagBoard:
    """One flag per check. Each period: `begin`, any number of `found`, then `reaction`, `events`."""

    def __init__(self, settings: SafetySettings) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget every finding."""
        self._flags = {name: _Flag(name, self._settings) for name in BY_NAME}
        self._events: list[SafetyEvent] = []
        self._reacting: list[_Flag] = []  # those with a reaction in force; mostly none, so a period costs little
        self._before: set[str] = set()  # what had been found in the last period

    def begin(self) -> None:
        """A new period: nothing has been found yet."""
        self._events = []
        self._before = {flag.name for flag in self._reacting if flag.active}
        for flag in self._reacting:
            flag.active = False
        self._reacting = [flag for flag in self._reacting if flag.latched]

    def found(self, name: str, message: str, now_s: float) -> None:
        """Check `name` found something; only the first finding of a period, and of a series of periods, is an event."""
        flag = self._flags[name]
        if flag.active:
            return
        flag.active = True
        if not flag.latched:
            self._reacting.append(flag)
        if name in self._before:
            return
        flag.count += 1
        flag.last_s, flag.message = now_s, message
        flag.latched = flag.latched or flag.latches
        self._events.append(SafetyEvent(name, flag.level, flag.reaction, message))

    @property
    def events(self) -> tuple[SafetyEvent, ...]:
        """What began in this period."""
        return tuple(self._events)

    def is_active(self, name: str) -> bool:
        """Whether the check has found something in this period."""
        return self._flags[name].active

    def latched(self) -> tuple[str, ...]:
        """Names of the checks whose reaction goes on until it is cleared."""
        return tuple(flag.name for flag in self._reacting if flag.latched)

    def any_in_force(self, names: frozenset[str]) -> bool:
        """Whether one of these checks has found something in this period, or its reaction goes on."""
        return any(flag.name in names for flag in self._reacting)

    @property
    def must_rest(self) -> bool:
        """Whether a reaction is in force that brings the arm to rest."""
        return any(flag.level is Level.ERROR for flag in self._reacting)

    def strictest(self) -> tuple[Reaction, str]:
        """The strictest reaction in force and its message; (CLIP, "") when nothing is."""
        # The first of the strictest ones, in the order in which they were found.
        worst = max(self._reacting, key=lambda flag: flag.severity, default=None)
        if worst is None or worst.reaction is Reaction.CLIP:
            return Reaction.CLIP, ""
        return worst.reaction, f"{worst.name}: {worst.message}"

    def slowing(self) -> tuple[str, ...]:
        """Names of the checks that slow the arm down now."""
        return tuple(flag.name for flag in self._reacting if flag.reaction is Reaction.SLOW)

    def still_there(self) -> list[tuple[str, str]]:
        """Name and message of every latched check whose cause was there in this period."""
        return [(flag.name, flag.message) for flag in self._reacting if flag.latched and flag.active]

    def clear(self) -> None:
        """End every latched reaction; a cause that is still there is found again, and counted, in the next period."""
        for flag in self._reacting:
            flag.latched = flag.active = False
        self._reacting, self._before = [], set()

    def report(self) -> tuple[FlagReport, ...]:
        """Every flag, in the order of `CHECKS`."""
        return tuple(flag.report() for flag in self._flags.values())
