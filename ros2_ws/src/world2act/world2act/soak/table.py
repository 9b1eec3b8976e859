"""Samples in a CSV file, written as they come and read back for the analysis: memory holds none of them."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from world2act.errors import GraphError

TIME = "time_s"
Series = dict[str, NDArray[np.float64]]


class SampleWriter:
    """`with SampleWriter(path, columns) as table: table.add({...})`; each row is on the disk when `add` returns.

    A value that is missing leaves its cell empty; one that is not among the columns raises ValueError.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = open(path, "w", newline="", buffering=1)  # noqa: SIM115 - closed with the writer
        self._rows = csv.DictWriter(self._stream, [TIME, *columns])
        self._rows.writeheader()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def add(self, time_s: float, values: Mapping[str, float]) -> None:
        """One row."""
        self._rows.writerow({TIME: f"{time_s:.2f}", **{name: f"{value:.6g}" for name, value in values.items()}})
        self._stream.flush()


def read_samples(path: Path) -> Series:
    """Column name -> values [n], NaN where a cell is empty. A last row that was cut off is left out.

    Raises GraphError when the file is no such table.
    """
    try:
        with open(path, newline="") as stream:
            rows = csv.DictReader(stream)
            names = list(rows.fieldnames or ())
            table = [row for row in rows if None not in row.values()]
    except OSError as error:
        raise GraphError(f"{path} cannot be read: {error.strerror}") from error
    if TIME not in names:
        raise GraphError(f"{path} is no table of samples: it has no column {TIME}")
    try:
        return {name: np.array([float(row[name] or math.nan) for row in table]) for name in names}
    except ValueError as error:
        raise GraphError(f"{path} is no table of samples: {error}") from error
