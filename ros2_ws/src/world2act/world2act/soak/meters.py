"""What a process, and the machine, use now."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from world2act.supervision.shared_memory import SHARED_MEMORY, free_bytes, segments

MIB = float(1 << 20)
PRIVATE_DIRTY = "private_dirty_mib"
"""Memory that only this process has and that the system cannot take back, swapped out or not: what can leak. USS counts
the clean pages of libraries, too, until another program on the machine loads the same ones."""
MEMORY = f".{PRIVATE_DIRTY}"
"""How the columns end that are judged."""
PROCESS_QUANTITIES = (PRIVATE_DIRTY, "uss_mib", "pss_mib", "rss_mib", "shared_mib", "threads", "fds", "cpu_percent")
"""USS: memory that only this process has; PSS: with its share of what is shared."""
Values = dict[str, float]
_PRIVATE_DIRTY = re.compile(r"^(?:Private_Dirty|Swap): +([0-9]+) kB$", re.MULTILINE)
_FAST_DDS = re.compile(rf"{SHARED_MEMORY}/(sem\.)?fast(dds|rtps)_")


class ProcessMeter:
    """Measures the processes of a graph by their names; a name may get another process."""

    def __init__(self) -> None:
        self._processes: dict[str, psutil.Process] = {}
        self.seen: set[tuple[int, float]] = set()
        """Process id and time of creation of everything that was measured: what must not be left in the end."""

    def read(self, pids: Mapping[str, int]) -> Values:
        """ "<name>.<quantity>" of each; nothing for a process that is gone."""
        values: Values = {}
        for name, pid in pids.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                process = self._process(name, pid)
                values |= {f"{name}.{quantity}": value for quantity, value in _measure(process).items()}
        return values

    def _process(self, name: str, pid: int) -> psutil.Process:
        known = self._processes.get(name)
        if known is None or known.pid != pid:
            known = self._processes[name] = psutil.Process(pid)
            self.seen.add((pid, known.create_time()))
            known.cpu_percent()  # the first call has nothing to compare with
        return known


def _measure(process: psutil.Process) -> Values:
    with process.oneshot():
        memory = process.memory_full_info()
        return {
            PRIVATE_DIRTY: _private_dirty_kib(process.pid) / 1024.0,
            "uss_mib": memory.uss / MIB, "pss_mib": memory.pss / MIB, "rss_mib": memory.rss / MIB,
            "shared_mib": memory.shared / MIB, "threads": float(process.num_threads()),
            "fds": float(process.num_fds()), "cpu_percent": process.cpu_percent(),
        }  # fmt: skip


def _private_dirty_kib(pid: int) -> int:
    """Raises psutil.NoSuchProcess when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    return sum(int(kib) for kib in _PRIVATE_DIRTY.findall(text))


def shared_memory_files(pids: Iterable[int]) -> set[str]:
    """Fast DDS's files in shared memory that these processes have mapped; also files that are deleted already."""
    found: set[str] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                if _FAST_DDS.search(line):
                    found.add(line.split(maxsplit=5)[-1])
    return found


def read_machine(folders: Mapping[str, Path]) -> Values:
    """Shared memory of the whole machine, and the size of each folder."""
    values = {"machine.fastdds_files": float(len(segments())), "machine.shm_free_mib": free_bytes() / MIB}
    return values | {f"{name}.size_mib": size / MIB for name, size in zip(folders, map(folder_size, folders.values()))}


def folder_size(folder: Path) -> int:
    """Bytes of the files in it; 0 when it is not there."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size
