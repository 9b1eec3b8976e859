"""`python -m tests.bench` and `python tests/bench`."""

from __future__ import annotations

import sys
from pathlib import Path


def _main() -> int:
    if not __package__:  # `python tests/bench`: Python put this folder on the path, the package needs the repository
        sys.path[0] = str(Path(__file__).resolve().parents[2])
    from tests.bench.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(_main())
