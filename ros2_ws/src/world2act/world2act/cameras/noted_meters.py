"""Instruments that also show texts on /diagnostics."""

from __future__ import annotations

from world2act.meters import Meters


class NotedMeters(Meters):
    """Meters with notes: what is not a number (a source, a fault)."""

    def __init__(self) -> None:
        super().__init__()
        self._notes: dict[str, str] = {}

    def note(self, name: str, text: str) -> None:
        """Show `text` under `name` from now on."""
        self._notes[name] = text

    def summary(self) -> dict[str, str]:
        """As Meters.summary, with the notes."""
        return {**super().summary(), **self._notes}
