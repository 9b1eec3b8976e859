"""docker/Dockerfile: pinned, clean, complete, and its shell does what it says. No docker is needed, nor run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container.conftest import ROOT, RunStep
from tests.container.dockerfile import Instruction, read_dockerfile

DOCKERFILE = ROOT / "docker/Dockerfile"
RUNS = [(item.line, item.text) for item in read_dockerfile(DOCKERFILE) if item.keyword == "RUN"]
ARGUMENTS = {"USER_ID": "1000", "ENGINE": "cpu"}
"""Build arguments that a RUN step reads; a test compares them with the defaults in the file."""


def tool(name: str) -> str:
    """The locked linter's program: it lies beside the interpreter, which need not be on the PATH."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, f"{name} is not installed: run `make setup`, which installs what .ci/requirements-full.lock names"
    return found


def texts(instructions: list[Instruction], keyword: str) -> list[str]:
    return [item.text for item in instructions if item.keyword == keyword]


def step_with(words: str) -> str:
    (found,) = [text for _, text in RUNS if words in text]
    return found


def test_targets_and_where_they_come_from(instructions: list[Instruction]) -> None:
    stages: dict[str, str] = {}
    for text in texts(instructions, "FROM"):
        image, name = re.fullmatch(r"(\S+) AS (\w+)", text).groups()
        assert image == "${BASE}" or image in stages, f"{name} is built on {image}: neither BASE nor an earlier target"
        stages[name] = image
    assert list(stages) == ["base", "runtime", "training", "dev"]


def test_images_are_pinned_and_no_registry_is_named(instructions: list[Instruction]) -> None:
    (base,) = [text.removeprefix("BASE=") for text in texts(instructions, "ARG") if text.startswith("BASE=")]
    assert re.fullmatch(r"[\w-]+:\d+\.\d+\.\d+-[\w-]+", base), f"{base}: give a name and a whole version, no host"
    for path in (ROOT / "docker").iterdir():
        assert ":latest" not in path.read_text(), path.name


def test_build_arguments_have_the_defaults_that_are_tested(instructions: list[Instruction]) -> None:
    declared = dict(text.split("=", 1) for text in texts(instructions, "ARG"))
    assert {name: value for name, value in declared.items() if name != "BASE"} == ARGUMENTS
    # in bash these are the shell's own, and an argument of that name would silently be ignored
    assert not {"UID", "EUID", "PPID", "GROUPS", "HOSTNAME", "PWD"}.intersection(declared)


def test_what_is_copied_exists_and_is_sent_to_docker(instructions: list[Instruction]) -> None:
    ignored = {line.removeprefix("**/") for line in (ROOT / "docker/Dockerfile.dockerignore").read_text().split()}
    copies = [text.split()[:-1] for text in texts(instructions, "COPY")]
    assert copies and "ADD" not in {item.keyword for item in instructions}
    for source in (name for names in copies for name in names):
        assert (ROOT / source).exists(), f"COPY {source}: not in the repository"
        assert source not in ignored, f"COPY {source}: the .dockerignore leaves it out"


def test_nothing_runs_as_root_but_the_workplace(instructions: list[Instruction]) -> None:
    last = {item.stage: item.text for item in instructions if item.keyword == "USER"}
    assert last == {"runtime": "${USER_ID}", "training": "${USER_ID}", "dev": "root"}


@pytest.mark.parametrize(("line", "text"), RUNS, ids=[f"line {line}" for line, _ in RUNS])
def test_every_step_is_valid_shell_and_leaves_no_package_lists(line: int, text: str, tmp_path: Path) -> None:
    script = tmp_path / "step.sh"
    script.write_text(f"#!/bin/bash\n{text}\n")
    checked = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    if "apt-get install" in text:
        assert text.startswith("apt-get update") and "--no-install-recommends" in text
    if "apt-get" in text or ".ci/setup" in text:
        assert text.endswith("rm -rf /var/lib/apt/lists/*"), f"line {line} leaves apt's lists in the image"


@pytest.mark.parametrize(("line", "text"), RUNS, ids=[f"line {line}" for line, _ in RUNS])
def test_every_step_runs(line: int, text: str, run_step: RunStep) -> None:
    status, _ = run_step(text, ARGUMENTS)
    assert status == 0
    if "apt-get" in text or ".ci/setup" in text:
        failed, _ = run_step(text, {**ARGUMENTS, "FAIL": "3"})
        assert failed != 0, f"line {line} goes on when a program in it has failed"


def test_the_engine_of_a_gpu_is_the_locked_version(run_step: RunStep) -> None:
    step = step_with("onnxruntime")
    locked = re.search(r"^onnxruntime==(\S+)$", (ROOT / ".ci/requirements-runtime.lock").read_text(), re.M)[1]
    assert run_step(step, {"ENGINE": "cpu"}) == (0, [])
    assert run_step(step, {"ENGINE": "gpu"}) == (
        0,
        ["python -m pip uninstall -y onnxruntime", f"python -m pip install --no-deps onnxruntime-gpu=={locked}"],
    )
    assert run_step(step, {"ENGINE": "fast"}) == (1, [])
    assert run_step(step, {"ENGINE": ""}) == (1, []), "compose.gpu.yaml without BASE"


def test_torch_comes_with_its_libraries_and_the_locked_version(run_step: RunStep) -> None:
    locked = re.search(r"^torch==\S+$", (ROOT / ".ci/requirements-full.lock").read_text(), re.M)[0]
    status, calls = run_step(step_with("torch"), {})
    assert (status, calls) == (0, ["setup runtime", f"python -m pip install {locked}"])


def test_the_user_is_made_unless_the_image_has_one(run_step: RunStep) -> None:
    step = step_with("useradd")
    status, calls = run_step(step, {"USER_ID": "1234"})
    assert status == 0 and calls == ["getent passwd 1234", "chown 1234 data runs"]
    with_none = step.replace("getent passwd", "false")
    status, calls = run_step(with_none, {"USER_ID": "1234"})
    assert calls[0] == "useradd --create-home --uid 1234 world2act"


def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    result = subprocess.run([tool("hadolint"), "--format", "json", DOCKERFILE], capture_output=True, text=True)
    assert json.loads(result.stdout) == [] and result.returncode == 0
    unpinned = tmp_path / "Dockerfile"
    unpinned.write_text("FROM debian\n")  # what it is there to find
    assert subprocess.run([tool("hadolint"), unpinned], stdout=subprocess.DEVNULL).returncode == 1


@pytest.mark.parametrize(("line", "text"), RUNS, ids=[f"line {line}" for line, _ in RUNS])
def test_shellcheck_finds_nothing(line: int, text: str) -> None:
    command = [tool("shellcheck"), "--shell=bash", "--exclude=SC2154", "-"]  # build arguments come from outside
    result = subprocess.run(command, input=text, capture_output=True, text=True)
    assert result.returncode == 0, f"line {line}:\n{result.stdout}"


@pytest.mark.parametrize("script", ("setup", "run", "colcon"))
def test_shellcheck_finds_nothing_in_what_the_steps_call(script: str) -> None:
    result = subprocess.run([tool("shellcheck"), ROOT / ".ci" / script], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
