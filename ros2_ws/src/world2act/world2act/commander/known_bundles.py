"""Which bundles a robot has run with before: the first run with a new one is a slow one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from world2act_core.files import atomic_write_text


def state_file() -> Path:
    """Where it is kept, by the XDG base directory rules."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "world2act" / "known-bundles.json"


class KnownBundles:
    """Bundle hashes by robot, in one JSON file. A file that cannot be read knows nothing: the arm is slow once more."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or state_file()

    def knows(self, robot: str, bundle: str) -> bool:
        """Whether `robot` has run with the bundle of this hash to a good end."""
        return bundle in self._read().get(robot, [])

    def remember(self, robot: str, bundle: str) -> None:
        """From now on it has. Raises OSError when that cannot be written down."""
        known = self._read()
        if bundle not in known.get(robot, []):
            known[robot] = [*known.get(robot, []), bundle]
            self._path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write_text(self._path, json.dumps(known, indent=1))

    def _read(self) -> dict[str, list[str]]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(content, dict):
            return {}
        return {
            str(robot): [str(item) for item in items] for robot, items in content.items() if isinstance(items, list)
        }
