"""A real graph of real processes, on a ROS domain that nobody else has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.system.tiny_bundle import make_bundle
from world2act.client import GraphClient
from world2act.graph import GraphOptions, build_graph, graph_environment
from world2act.supervision.supervisor import Supervisor

os.environ.update(graph_environment())
_NUMBERS = count(os.getpid() % 49)
PATIENT = ("test_graph_lockstep.py", "test_lifecycle.py", "test_policy_refusals.py")
"""Files in which nothing waits for a clock: they come first, while the type checker works beside them."""
Start = Callable[..., Supervisor]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The patient ones first; the others keep their order."""
    items.sort(key=lambda item: item.path.name not in PATIENT)


def new_domain() -> int:
    """1 to 49: package tests use those above, people 0."""
    return 1 + next(_NUMBERS) % 49


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle."""
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """start(bundle, lockstep=True) -> a graph that is up; all are ended with the module."""
    running: list[Supervisor] = []

    def start_one(bundle: Path, lockstep: bool = True, **options: object) -> Supervisor:
        os.environ["ROS_DOMAIN_ID"] = str(new_domain())
        folder = tmp_path_factory.mktemp("run")
        chosen = GraphOptions(bundle=str(bundle), lockstep=lockstep, **options)  # type: ignore[arg-type]
        running.append(Supervisor(build_graph("sim", chosen), folder))
        running[-1].bring_up()
        return running[-1]

    yield start_one
    for supervisor in running:
        supervisor.stop()


@pytest.fixture(scope="module")
def lockstep_graph(start: Start, bundle: Path) -> Supervisor:
    """One lockstep graph for the tests of a module."""
    return start(bundle)


@pytest.fixture
def client(lockstep_graph: Supervisor) -> GraphClient:
    """A client of it."""
    return GraphClient(lockstep_graph.session)
