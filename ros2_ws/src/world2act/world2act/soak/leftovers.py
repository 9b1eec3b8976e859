"""What is left of a graph after its end; nothing should be."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import psutil

from world2act.soak.meters import shared_memory_files
from world2act.supervision.session import Session
from world2act.supervision.shared_memory import dead_segments, segments


@dataclass(frozen=True)
class Before:
    """What is there before a graph: files in shared memory; threads and child processes of this process."""

    shm_files: frozenset[str]
    threads: int
    children: frozenset[int]

    @classmethod
    def now(cls) -> Self:
        """As it is now."""
        return cls(frozenset(map(str, segments())), _threads(), _children())


@dataclass(frozen=True)
class Leftovers:
    """Process ids, files in shared memory, and threads that this process has more than before."""

    processes: tuple[int, ...]
    shm_files: tuple[str, ...]
    threads: int

    @property
    def problems(self) -> list[str]:
        """In words; empty when nothing is left."""
        found = []
        if self.processes:
            found.append(f"processes left after the end: {', '.join(map(str, self.processes))}")
        if self.shm_files:
            found.append(f"files in shared memory left after the end: {', '.join(self.shm_files)}")
        if self.threads > 0:
            found.append(f"{self.threads} threads left after the end")
        return found


def look_before() -> Before:
    """Call it before the graph is brought up; the environment must be the graph's."""
    # DDS starts some threads with the first participant of a process and keeps them for its life.
    with Session("world2act_soak_before"):
        pass
    return Before.now()


def find_leftovers(before: Before, processes: Collection[tuple[int, float]], shm_files: Collection[str]) -> Leftovers:
    """processes: id and time of creation of what the graph had; shm_files: paths of what its processes had mapped."""
    alive = {pid for pid, created_s in processes if _is_there(pid, created_s)}
    alive |= _children() - before.children
    # A file that another process uses is another graph's: somebody with a wrong address may have sent us something.
    nobodys = {str(path) for path in dead_segments()} | shared_memory_files([os.getpid()])
    files = (nobodys & set(shm_files)) - before.shm_files
    return Leftovers(tuple(sorted(alive)), tuple(sorted(files)), max(0, _threads() - before.threads))


def _threads() -> int:
    return int(psutil.Process().num_threads())


def _children() -> frozenset[int]:
    return frozenset(child.pid for child in psutil.Process().children(recursive=True))


def _is_there(pid: int, created_s: float) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).create_time() == created_s
    return False
