"""The trained bundle through the whole graph, in lockstep: it does what it is told, and the demo shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.conftest import Start, new_domain
from world2act.client import GraphClient
from world2act.conversions import stamp_to_ns
from world2act.demo.observer import Observer
from world2act.graph import DEFAULT_BUNDLE

BUNDLE = Path(__file__).parents[2] / DEFAULT_BUNDLE
EPISODES = (("pick up the red cube", 2000), ("put the can in the bin", 2001), ("pick up the milk", 2002))


@pytest.mark.long
def test_it_does_what_it_is_told(start: Start) -> None:
    graph = start(BUNDLE)
    client = GraphClient(graph.session)
    observer = Observer(graph.session, lockstep=True, on_pictures=lambda scene, wrist: None)
    successes = 0
    for instruction, seed in EPISODES:
        begin = client.reset(seed, instruction).sim_time
        client.execute(instruction, tick=graph.check, not_before=begin)
        end = max(observer.last_chunk_ns, stamp_to_ns(begin)) + 4 * 100_000_000
        graph.session.wait(lambda end=end: observer.status_ns >= end, 5.0)
        assert observer.status is not None and observer.status.seed == seed
        successes += observer.status.success
    # Three episodes measure nothing; they show that the graph does not spoil what works in-process.
    assert successes >= 2


def test_the_demo_leaves_its_three_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "world2act.cli.main", "demo", "--episodes", "2", "--bundle", str(BUNDLE)]
    command += ["--output", str(tmp_path), "--domain", str(new_domain())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env={**os.environ, "COLUMNS": "120"})
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert len(summary["episodes"]) == 2
    assert {"instruction", "skills", "seed", "success", "seconds"} <= set(summary["episodes"][0])
    assert (tmp_path / "demo.mp4").stat().st_size > 10_000 and (tmp_path / "demo.png").stat().st_size > 5_000
