"""Runs one section in this process and writes what it found: `python -m tests.bench.run_section NAME SETTINGS OUT`.

A process per section: one that crashes or hangs takes no other with it, and none inherits another's threads.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from pathlib import Path

from tests.bench.results import Section
from tests.bench.settings import Settings
from world2act.supervision.interrupts import EXIT_INTERRUPTED, raise_on_signals


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0 when the section was measured."""
    name, text, out = arguments
    raise_on_signals()
    os.environ.setdefault("MUJOCO_GL", "egl")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    began = time.monotonic()
    try:
        section: Section = importlib.import_module(f"tests.bench.{name}").run(Settings.from_text(text))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        section = Section(name, error=f"{type(error).__name__}: {error}")
    section.seconds = time.monotonic() - began
    section.save(Path(out))
    return 1 if section.error else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
