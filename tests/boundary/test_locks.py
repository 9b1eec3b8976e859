"""The locked requirements: exact, consistent between the profiles, free of what must not be in them."""

from __future__ import annotations

import re
from pathlib import Path

CI = Path(__file__).resolve().parents[2] / ".ci"


def read_lock(profile: str) -> dict[str, str]:
    """Return package -> version of one lock; every line that is not a comment must be an exact pin."""
    pins: dict[str, str] = {}
    for line in (CI / f"requirements-{profile}.lock").read_text().splitlines():
        if line.startswith("#"):
            continue
        found = re.fullmatch(r"([a-z0-9-]+)==([0-9][0-9A-Za-z.]*)", line)
        assert found, f"requirements-{profile}.lock: {line!r} is not `name==version`"
        pins[found[1]] = found[2]
    return pins


def test_the_runtime_profile_is_a_part_of_the_full_one() -> None:
    full, runtime = read_lock("full"), read_lock("runtime")
    different = {name: (pin, full.get(name)) for name, pin in runtime.items() if full.get(name) != pin}
    assert not different, f"run `make lock`: (runtime, full) differ in {different}"


def test_the_runtime_profile_needs_no_torch() -> None:
    assert not {"torch", "transformers", "torchvision"}.intersection(read_lock("runtime"))


def test_every_requirement_asked_for_is_locked() -> None:
    for profile in ("runtime", "full"):
        pins = read_lock(profile)
        for line in (CI / f"requirements-{profile}.in").read_text().splitlines():
            if name := re.match(r"[A-Za-z][A-Za-z0-9_.-]*", line):
                assert re.sub(r"[-_.]+", "-", name[0]).lower() in pins, f"run `make lock`: {line} is not in {profile}"


def test_versions_the_simulator_and_training_depend_on() -> None:
    pins = read_lock("full")
    assert pins["robosuite"] == "1.5.2" and pins["mujoco"].startswith("3.9.")
    assert pins["torch"] == "2.13.0" and pins["numpy"] == "1.26.4"
    assert pins["pyarrow"].startswith("23."), "later ones refuse numpy 1.26 at import"


def test_no_lock_names_an_address() -> None:
    for path in CI.glob("requirements-*"):
        assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links", path.read_text()), path.name
