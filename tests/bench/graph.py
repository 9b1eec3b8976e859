"""Section "graph": camera stamp -> command through the running graph in real time, against the bare inference.

The graph is the one `world2act up sim --realtime` starts. Its nodes measure themselves and write what they measured
when they end; the bare inference runs here, between the episodes, while the graph stays up.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.bench.bundles import usable_bundle
from tests.bench.results import BenchError, Check, Row, Section, Stage
from tests.bench.settings import Settings
from tests.bench.timing import timed
from world2act.client import GraphClient
from world2act.demo.episodes import demo_episodes
from world2act.graph import GraphOptions, build_graph
from world2act.supervision.session import prepare_environment
from world2act.supervision.supervisor import Supervisor
from world2act_core.bundle import load_bundle
from world2act_core.policy import BundlePolicy
from world2act_core.types import Observation

OVERHEAD_MS = 10.0
"""Target: how much later than the bare inference the median command may come."""
PERCENTILES = (50, 95, 99)
CAMERA_PX = 128
Latencies = Mapping[str, Mapping[str, list[float]]]
"""Node -> stage -> seconds."""


def run(settings: Settings) -> Section:
    """Measure on a graph of its own, on a ROS domain of its own."""
    section = Section("graph")
    prepare_environment(60 + os.getpid() % 40 if settings.domain is None else settings.domain)
    bundle, note = usable_bundle(settings.bundle, settings.work)
    profile = settings.work / "profile"
    shutil.rmtree(profile, ignore_errors=True)  # what an earlier run measured must not pass for this one's
    bare = _drive(bundle, profile, settings)
    latencies = _read(profile)
    section.rows += _rows(latencies, bare)
    overhead = section.rows[0].ours - section.rows[0].theirs
    section.checks.append(
        Check("overhead over the bare inference, p50", overhead, "ms", f"<= {OVERHEAD_MS:g}", overhead <= OVERHEAD_MS)
    )
    section.stages += _stages(latencies)
    section.notes.append(f"{note}; one inference thread; simulator, cameras and five nodes on the same machine")
    section.notes.append("the first command of an instruction waits for the planner: it makes the upper percentiles")
    return section


def _drive(bundle: Path, profile: Path, settings: Settings) -> list[float]:
    """Run episodes; returns the seconds of bare inferences done between them."""
    options = GraphOptions(bundle=str(bundle.absolute()), profile_path=str(profile.absolute()))
    policy = BundlePolicy(load_bundle(bundle), threads=1)
    policy.warm_up()
    seen = _made_up_observation(policy.contract.state_size)
    bare: list[float] = []
    with Supervisor(build_graph("sim", options), settings.work / "graph") as supervisor:
        supervisor.bring_up(lambda name, state: print(f"  {name:<15} {state}", flush=True))
        client = GraphClient(supervisor.session)
        for episode in demo_episodes(settings.pick(6, 1)):
            bare += timed(lambda: policy.act(seen, "pick up the red cube"), settings.pick(25, 10))
            answer = client.reset(episode.seed, episode.instruction)
            outcome = client.execute(
                episode.instruction,
                tick=supervisor.check,
                not_before=answer.sim_time,
                timeout_s=settings.pick(9.0, 5.0),
            )
            print(f"  {episode.instruction}: {outcome.seconds:.1f} s, {outcome.error}", flush=True)
        bare += timed(lambda: policy.act(seen, "pick up the red cube"), settings.pick(25, 10))
    return bare


def _made_up_observation(state_size: int) -> Observation:
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 256, (CAMERA_PX, CAMERA_PX, 3), dtype=np.uint8) for name in ("scene", "wrist")}
    return Observation(0.0, images, rng.normal(0.0, 0.1, state_size).astype(np.float32))


def _read(profile: Path) -> Latencies:
    return {path.stem: json.loads(path.read_text())["latencies_s"] for path in sorted(profile.glob("*.json"))}


def _measured(latencies: Latencies, node: str, stage: str) -> list[float]:
    """Milliseconds. Raises BenchError when the graph did not measure this."""
    values = latencies.get(node, {}).get(stage, [])
    if not values:
        raise BenchError(f"{node} measured no {stage!r}: it measured {sorted(latencies.get(node, {}))}; see the logs")
    return [1e3 * value for value in values]


def _rows(latencies: Latencies, bare_s: list[float]) -> list[Row]:
    ours = _measured(latencies, "arm_commander", "camera stamp to command")
    theirs = [1e3 * value for value in bare_s]
    rows = []
    for percent in PERCENTILES:
        here, bare = float(np.percentile(ours, percent)), float(np.percentile(theirs, percent))
        target = f"<= bare + {OVERHEAD_MS:g} ms" if percent == 50 else ""
        rows.append(
            Row(
                name=f"camera stamp -> command, real time, p{percent}",
                alternative=f"bare inference of the same bundle in this process, p{percent}",
                unit="ms",
                ours=here,
                theirs=bare,
                better="lower",
                n_ours=len(ours),
                n_theirs=len(theirs),
                spread_ours=_quartiles(ours),
                spread_theirs=_quartiles(theirs),
                target=target,
                met=here - bare <= OVERHEAD_MS if target else None,
                facts={"overhead_ms": here - bare},
            )
        )
    return rows


def _quartiles(values: list[float]) -> tuple[float, float]:
    low, high = np.percentile(values, [25, 75])
    return float(low), float(high)


def _stages(latencies: Latencies) -> list[Stage]:
    """Medians along the way; what lies between two measured points is transport and waking up."""

    def median(node: str, stage: str) -> float:
        return float(np.median(_measured(latencies, node, stage)))

    total = median("arm_commander", "camera stamp to command")
    ingested = median("camera_ingest", "camera stamp to observation")
    inferring = median("vla_policy", "camera stamp to inference")
    inference = median("vla_policy", "inference")
    arrived = median("arm_commander", "camera stamp to chunk, without inference")
    parts = {
        "ingest: pictures and state to one observation": ingested,
        "transport: observation to policy": inferring - ingested,
        "inference, in the graph": inference,
        "transport: chunk to commander": arrived - inferring,
        "command: chunk to command": median("arm_commander", "chunk to command"),
        "camera stamp to command": total,
    }
    of = "camera stamp to command (medians)"
    stages = [Stage(of, name, ms, ms / total) for name, ms in parts.items()]
    return [*stages, Stage("simulator", "step and render", median("sim_bridge", "step and render"))]
