"""Faults of the machine: no CPU time, no disk space, strangers on the network, a damaged engine file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from world2act.errors import GraphError
from world2act.faults.bench import Bench

LARGEST_DISK = 256 << 20
"""Nothing larger is filled [bytes]: it might be somebody's."""
DAMAGED_S = 6.0
"""How long the engine's file stays damaged; one attempt to start the policy takes about two seconds."""
_BUSY = "while True: pass"
_STRANGERS = """
import rclpy, time
contexts = []
for number in range(20):
    context = rclpy.Context()
    rclpy.init(context=context)
    contexts.append(rclpy.create_node(f"stranger_{number}", context=context))
time.sleep(600)
"""


def starve(bench: Bench) -> None:
    """One process per core that does nothing but compute."""
    bench.scratch["processes"] = [_start(_BUSY) for _ in range(os.cpu_count() or 1)]


def flood(bench: Bench) -> None:
    """Twenty more participants join the domain at once."""
    bench.scratch["processes"] = [_start(_STRANGERS)]


def end_processes(bench: Bench) -> None:
    """End what was started."""
    for process in bench.scratch.pop("processes", []):
        process.kill()
        process.wait()


def _start(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def damage_engine(bench: Bench) -> None:
    """The engine's file is cut in half, and the policy that would have to read it again dies.

    Somebody puts the file back after a while: until then the supervisor tries in vain to start the policy again, and
    does nothing else.
    """
    path = Path(str(bench.supervisor.graph.node("vla_policy").parameters["bundle"])) / "policy.onnx"
    repair = threading.Timer(DAMAGED_S, path.write_bytes, [path.read_bytes()])
    bench.scratch["repair"] = repair
    os.truncate(path, path.stat().st_size // 2)
    bench.signal("vla_policy", signal.SIGKILL)
    repair.start()


def repair_engine(bench: Bench) -> None:
    """Wait until the file is back."""
    if "repair" in bench.scratch:
        bench.scratch.pop("repair").join()


def fill_disk(bench: Bench) -> None:
    """Everything that is left of the recorder's small disk is used up."""
    folder = bench.recordings
    room = os.statvfs(folder)
    if room.f_blocks * room.f_frsize > LARGEST_DISK:
        raise GraphError(
            f"{folder} is no small disk of its own, and this fault fills it: run `world2act faults` as a user who may "
            "mount a tmpfs (root), or leave `disk full` out with --only"
        )
    filler = folder / "filler"
    bench.scratch["filler"] = filler
    with open(filler, "wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(1 << 20))
        except OSError:
            pass


def empty_disk(bench: Bench) -> None:
    """Free it again."""
    if "filler" in bench.scratch:
        bench.scratch.pop("filler").unlink()
