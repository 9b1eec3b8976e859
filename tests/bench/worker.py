"""An object in a process of its own, called through a pipe: what is compared must not share caches, GL or threads."""

from __future__ import annotations

import importlib
import multiprocessing
import signal
import traceback
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from tests.bench.results import BenchError

START_S = 120.0
CALL_S = 60.0


class Worker:
    """`with Worker("tests.bench.sim_worlds", "StockLift") as lift: lift.call("steps", 10)`."""

    def __init__(self, module: str, factory: str, *arguments: Any, patience: float = 1.0) -> None:
        """Start the process and make the object in it. Raises BenchError when that fails.

        patience: factor on the time limits START_S and CALL_S.
        """
        self._patience = patience
        self._name = f"{factory}{arguments}"
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, module, factory, arguments), daemon=True)
        self._process.start()
        other.close()
        try:
            self._answer(START_S)
        except BaseException:
            self.close()
            raise

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method and return what it returns. Raises BenchError when it fails, dies or takes too long."""
        self._pipe.send((method, arguments))
        return self._answer(CALL_S)

    def _answer(self, limit_s: float) -> Any:
        limit_s *= self._patience
        if not self._pipe.poll(limit_s):
            raise BenchError(f"{self._name} gave no answer within {limit_s:g} s (--patience N waits longer)")
        try:
            good, value = self._pipe.recv()
        except EOFError:
            self._process.join(5.0)
            raise BenchError(f"the process of {self._name} died with status {self._process.exitcode}") from None
        if not good:
            raise BenchError(f"{self._name}: {value}")
        return value

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _serve(pipe: Connection, module: str, factory: str, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which closes the pipe
    try:
        made = getattr(importlib.import_module(module), factory)(*arguments)
    except Exception:
        pipe.send((False, traceback.format_exc(limit=-4)))
        return
    pipe.send((True, None))
    while True:
        try:
            method, values = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((True, getattr(made, method)(*values)))
        except Exception:
            pipe.send((False, traceback.format_exc(limit=-4)))
