"""Import every module of the packages named, so that Python keeps compiled copies of them and of all they import.

pip is told not to compile (most of what it installs is never imported), and where PYTHONDONTWRITEBYTECODE is set, as
many containers do, no later process would: every node would compile its thousand modules anew at each start, which
takes it more than half of that time.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import pkgutil
import sys
from collections.abc import Iterator


def modules_of(package: str) -> Iterator[str]:
    """The package and everything in it, without tests and `__main__`."""
    yield package
    path = importlib.import_module(package).__path__
    for found in pkgutil.walk_packages(path, f"{package}.", onerror=lambda name: None):
        if not {"tests", "__main__"} & set(found.name.split(".")):
            yield found.name


def main() -> None:
    """Packages are the arguments. One that cannot be imported is none of our business here: tests say so."""
    for package in sys.argv[1:]:
        for name in modules_of(package):
            with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
                importlib.import_module(name)


if __name__ == "__main__":
    main()
