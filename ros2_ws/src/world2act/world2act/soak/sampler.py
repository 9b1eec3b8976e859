"""Takes a sample of everything now and then, and writes it down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from world2act.soak.counts import Counts
from world2act.soak.listener import Listener
from world2act.soak.meters import PROCESS_QUANTITIES, ProcessMeter, Values, read_machine, shared_memory_files
from world2act.soak.table import SampleWriter
from world2act.soak.timing import TIMING
from world2act.supervision.supervisor import Supervisor

SELF = "soak"
"""The process that supervises the graph, gives it work and measures."""
GRAPH_QUANTITIES = ("graph.processes", "graph.shm_files", "machine.fastdds_files", "machine.shm_free_mib")
TOPICS = ("commands", "observations", "progress")


def columns(names: tuple[str, ...], folders: Mapping[str, Path]) -> list[str]:
    """Of the table for a graph with nodes of these names."""
    found = [f"{name}.{quantity}" for name in (*names, SELF) for quantity in PROCESS_QUANTITIES]
    found += [*GRAPH_QUANTITIES, *(f"{name}.size_mib" for name in folders)]
    found += [f"{topic}.{quantity}" for topic in TOPICS for quantity in ("hz", "gap_s")]
    return [*found, *TIMING.values(), "work.instructions"]


class Sampler:
    """`take` measures once. folders: name -> folder whose size is followed. shm_before: others' files there."""

    def __init__(
        self, supervisor: Supervisor, listener: Listener, counts: Counts, table: SampleWriter,
        folders: Mapping[str, Path], shm_before: frozenset[str],
    ) -> None:  # fmt: skip
        self._supervisor, self._listener, self._counts = supervisor, listener, counts
        self._table, self._folders, self._shm_before = table, folders, shm_before
        self._meter = ProcessMeter()
        self._pids: dict[str, int] = {}
        self._self = psutil.Process()
        self.shm_seen: set[str] = set()
        """Files in shared memory that the graph had."""

    @property
    def processes_seen(self) -> set[tuple[int, float]]:
        """Process id and time of creation of every process that the graph had."""
        return self._meter.seen - {(self._self.pid, self._self.create_time())}

    def take(self, time_s: float, now_s: float) -> Values:
        """Measure everything and add a row. time_s: since the soak began; now_s: wall clock."""
        pids = {node.name: node.process.pid for node in self._supervisor.processes.nodes}
        self._notice_restarts(pids)
        values = self._meter.read({**pids, SELF: os.getpid()})
        files = shared_memory_files([*pids.values(), os.getpid()]) - self._shm_before
        self.shm_seen |= files
        values["graph.processes"] = float(len(self._self.children(recursive=True)))
        values["graph.shm_files"] = float(len(files))
        values |= read_machine(self._folders)
        meters = (self._listener.commands, self._listener.observations, self._listener.progress)
        for topic, meter in zip(TOPICS, meters):
            values[f"{topic}.hz"], values[f"{topic}.gap_s"] = meter.take(now_s)
        values |= self._listener.timing
        values["work.instructions"] = float(self._counts.instructions)
        self._table.add(time_s, values)
        return values

    def _notice_restarts(self, pids: Mapping[str, int]) -> None:
        for name, pid in pids.items():
            if self._pids.get(name, pid) != pid:
                self._counts.restarts[name] += 1
        self._pids = dict(pids)
