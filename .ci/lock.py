"""Resolve the two requirements-*.in files beside this script into requirements-*.lock: one exact version of everything.

    make lock                 keeps the versions already locked, adds what is new
    make lock UPGRADE=1       resolves everything afresh

Two directives live in comments of the .in files: `# drop: a b` leaves packages out of the lock although something asks
for them, `# no-deps: a==1` adds a package without what it asks for. `.ci/setup` installs locks with `--no-deps`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = "# Made by `make lock` from {source}; do not edit. Install with --no-deps.\n"


def normalise(name: str) -> str:
    """Return a package name as indexes compare it: lower case, runs of `-_.` as one dash."""
    return re.sub(r"[-_.]+", "-", name).lower()


def directive(text: str, word: str) -> list[str]:
    """Return the words after every `# <word>:` comment of an .in file."""
    return [item for line in re.findall(rf"^# {word}:(.*)$", text, flags=re.M) for item in line.split()]


def resolve(source: Path, constraints: Path | None) -> dict[str, str]:
    """Ask pip which versions it would install into an empty environment; name -> version, nothing is installed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--report", str(report)]
        command += ["-r", str(source)] + (["-c", str(constraints)] if constraints else [])
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found = json.loads(report.read_text())["install"]
    # "2.13.0+cpu" names one build of torch; the lock names the version, whichever build the machine offers
    return {normalise(item["metadata"]["name"]): item["metadata"]["version"].partition("+")[0] for item in found}


def lock(profile: str, constraints: Path | None) -> Path:
    """Write requirements-<profile>.lock and return its path."""
    source, target = HERE / f"requirements-{profile}.in", HERE / f"requirements-{profile}.lock"
    text = source.read_text()
    pins = resolve(source, constraints)
    for name in directive(text, "drop"):
        pins.pop(normalise(name), None)
    for pin in directive(text, "no-deps"):
        name, _, version = pin.partition("==")
        pins[normalise(name)] = version
    body = "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))
    target.write_text(HEADER.format(source=source.name) + body)
    print(f"{target.name}: {len(pins)} packages")
    return target


def main() -> None:
    """Lock the full profile first, then the runtime profile to the same versions."""
    known = HERE / "requirements-full.lock"
    keep = known.exists() and "--upgrade" not in sys.argv[1:]
    full = lock("full", known if keep else None)
    lock("runtime", full)


if __name__ == "__main__":
    main()
