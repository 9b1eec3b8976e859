"""Every fault of the matrix, in the order in which they are made."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable

from world2act.faults import chunks, machine
from world2act.faults.bench import Bench
from world2act.faults.fault import E_STOP_MS, Fault
from world2act.faults.language_model import Manner
from world2act.supervision.graph_watch import NOT_NEEDED_HANG_S

MOVERS = ("sim_arm", "camera_ingest", "vla_policy", "arm_commander", "skill_planner")
"""The nodes without which nothing moves; sim_arm stands for the arm's driver."""
SILENCE = ("PEER_SILENT", "NODE_LOST", "STALE_OBSERVATION", "STALE_CHUNK", "STATE_LOST")
CAMERA = ("CAMERA_", "INPUT_", "STALE_OBSERVATION", "PEER_FAULT")
STATE = ("STATE_LOST", "INPUT_SILENT")
WRONG_CHUNK = ("CHUNK_INVALID", "JOINT_", "SPEED", "COMMAND_JUMP")


def _signal(node: str, number: signal.Signals) -> Callable[[Bench], None]:
    return lambda bench: bench.signal(node, number)


def _inject(request: str) -> Callable[[Bench], None]:
    return lambda bench: bench.inject(request)


def _heal(bench: Bench) -> None:
    bench.inject("")


def _killed(node: str) -> Fault:
    text = f"kill -9 of {node}"
    return Fault(f"kill {node}", text, _signal(node, signal.SIGKILL), reasons=SILENCE, in_short=node in ("vla_policy",))


def _stopped(node: str) -> Fault:
    go_on = _signal(node, signal.SIGCONT)
    text = f"SIGSTOP of {node}, until it is found to hang"
    return Fault(f"stop {node}", text, _signal(node, signal.SIGSTOP), go_on, SILENCE, waits_s=5.0)


def _camera(kind: str, what: str, short: bool = False) -> Fault:
    return Fault(f"camera {kind.split(':')[0]}", what, _inject(f"wrist={kind}"), _heal, CAMERA, in_short=short)


def _joints(kind: str, what: str, short: bool = False) -> Fault:
    return Fault(
        f"joint states {kind.split(':')[0]}", what, _inject(f"joint_states={kind}"), _heal, STATE, in_short=short
    )


def _llm(kind: str, what: str, inject: Callable[[Bench], None]) -> Fault:
    """The instruction is given once more while the model is of no use; the arm has to move all the same."""

    def ask(bench: Bench) -> None:
        inject(bench)
        bench.instruct_again()

    return Fault(f"LLM {kind}", what, ask, lambda bench: bench.llm.open(), ("LLM_UNUSED",), math.inf)


def _manner(manner: Manner) -> Callable[[Bench], None]:
    def set_manner(bench: Bench) -> None:
        bench.llm.manner = manner

    return set_manner


FAULTS: tuple[Fault, ...] = (
    Fault("e-stop", "the emergency stop is pressed", lambda bench: bench.press(True), lambda bench: bench.press(False),
          ("E_STOP",), E_STOP_MS, in_short=True),
    _camera("silent", "the wrist camera sends nothing", short=True),
    _camera("frozen", "the wrist camera sends the same picture again and again"),
    _camera("black", "the wrist camera sends black pictures"),
    _camera("delayed:0.5", "the wrist camera's pictures come half a second late"),
    _camera("wrong_size", "the wrist camera sends pictures of half the height"),
    _camera("clock_back:10", "the wrist camera's clock jumps back by ten seconds"),
    _joints("silent", "no joint states", short=True),
    _joints("delayed:0.5", "joint states come half a second late"),
    _joints("nan", "joint states are not numbers"),
    Fault("chunk NaN", "a chunk with a value that is not a number", chunks.nan, reasons=WRONG_CHUNK, in_short=True),
    Fault("chunk huge", "a chunk that asks for a metre per step", chunks.huge, reasons=WRONG_CHUNK, limit_ms=math.inf),
    Fault("chunk wrong shape", "a chunk with an action too few", chunks.wrong_shape, reasons=WRONG_CHUNK),
    Fault("chunk late", "a chunk of five seconds ago", chunks.late, limit_ms=math.inf),
    Fault("chunk out of order", "a chunk from before the newest one", chunks.out_of_order, limit_ms=math.inf),
    *(_killed(node) for node in MOVERS),
    *(_stopped(node) for node in MOVERS),
    Fault("kill recorder", "kill -9 of the recorder", _signal("recorder", signal.SIGKILL),
          reasons=("RECORDER_LOST",), limit_ms=math.inf),
    Fault("stop recorder", "SIGSTOP of the recorder, until it is found to hang", _signal("recorder", signal.SIGSTOP),
          _signal("recorder", signal.SIGCONT), ("RECORDER_LOST",), math.inf, waits_s=NOT_NEEDED_HANG_S + 2.0),
    Fault("disk full", "the recorder's disk has no space left", machine.fill_disk, machine.empty_disk,
          ("DISK_FULL",), math.inf, waits_s=4.0),
    Fault("engine truncated", "the engine's file is cut in half and the policy dies", machine.damage_engine,
          machine.repair_engine, SILENCE, waits_s=3.0),
    _llm("down", "the language model that plans refuses every connection", lambda bench: bench.llm.close()),
    _llm("garbage", "the language model answers something else than a plan", _manner("garbage")),
    _llm("hangs", "the language model does not answer", _manner("hangs")),
    Fault("CPU starved", "one busy loop per core", machine.starve, machine.end_processes, (), math.inf, waits_s=4.0),
    Fault("DDS flood", "twenty participants join at once", machine.flood, machine.end_processes, (), math.inf,
          waits_s=6.0),
)  # fmt: skip
