"""The Dockerfile, and a folder in which its RUN steps can be run without docker, root or network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.container.dockerfile import Instruction, read_dockerfile

ROOT = Path(__file__).resolve().parents[2]
STUB = '#!/bin/sh\necho "$(basename "$0") $*" >>"$CALLS"\nexit ${FAIL:-0}\n'
"""Stands for a program that would change the machine: says how it was called, and does nothing."""

RunStep = Callable[..., tuple[int, list[str]]]


@pytest.fixture(scope="session")
def instructions() -> list[Instruction]:
    """Every instruction of docker/Dockerfile."""
    return read_dockerfile(ROOT / "docker/Dockerfile")


@pytest.fixture
def run_step(tmp_path: Path) -> RunStep:
    """Runs a RUN step's shell in a folder like the image's; returns its exit status and what it called."""
    folder, stubs = tmp_path / "image", tmp_path / "stubs"
    for name in ("apt-get", "useradd", "getent", "chown"):
        _write_stub(stubs / name)
    for name in (".ci/setup", ".venv/bin/python"):
        _write_stub(folder / name)
    for lock in (ROOT / ".ci").glob("*.lock"):
        (folder / ".ci" / lock.name).write_text(lock.read_text())
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "an-index").touch()

    def run(text: str, variables: Mapping[str, str]) -> tuple[int, list[str]]:
        calls = tmp_path / "calls"
        calls.write_text("")
        environment = {"PATH": f"{stubs}:{os.environ['PATH']}", "CALLS": str(calls), **variables}
        # as the image's SHELL says; the one path outside the folder is the machine's own
        command = ["/bin/bash", "-euo", "pipefail", "-c", text.replace("/var/lib/apt/lists", str(lists))]
        result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=30)
        return result.returncode, calls.read_text().splitlines()

    return run


def _write_stub(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STUB)
    path.chmod(0o755)
