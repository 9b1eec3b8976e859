"""Opening demonstration files of robomimic's layout (``data/demo_i``) with errors that say which part is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from training.common.errors import DatasetError

MINIMUM_NORM = 1e-6  # of a quaternion that says something


class NoPicturesError(DatasetError):
    """A file as people recorded it, before its pictures were made; whoever downloads everything has both kinds."""


def find_files(source: Path) -> list[Path]:
    """``source`` itself, or every .hdf5 and .h5 file below it, sorted; :class:`DatasetError` when there is none."""
    if source.is_file():
        return [source]
    found = sorted(path for suffix in ("hdf5", "h5") for path in source.rglob(f"*.{suffix}"))
    if not found:
        raise DatasetError(f"{source} holds no .hdf5 file; give a demonstration file or a folder of them as --source")
    return found


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file for reading; :class:`DatasetError` when it is truncated or no HDF5 file."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _unreadable(str(path), error) from error
    with file:
        yield file


def _unreadable(where: str, error: Exception) -> DatasetError:
    return DatasetError(
        f"cannot read {where}: {error}. The file is truncated, damaged or no HDF5 file; fetch it again. Demonstrations "
        "imported so far are kept, run the same command again to continue."
    )


def demonstrations(file: h5py.File) -> list[str]:
    """Names ``demo_i`` under ``data``, by number."""
    if "data" not in file:
        raise DatasetError(f"{file.filename} has no group 'data'; it has: {', '.join(file) or 'nothing'}")
    names = [name for name in file["data"] if name.removeprefix("demo_").isdigit()]
    if not names:
        raise DatasetError(f"{file.filename} has no demonstrations (data/demo_0, ...)")
    return sorted(names, key=lambda name: int(name.removeprefix("demo_")))


def recorded_rate(file: h5py.File) -> float | None:
    """Frames per second, as the file says (``control_freq`` in robomimic's ``env_args``); None when it does not."""
    try:
        rate = float(json.loads(file["data"].attrs["env_args"])["env_kwargs"]["control_freq"])
    except (KeyError, TypeError, ValueError):
        return None
    return rate if rate > 0 else None


def array(group: h5py.Group, name: str, shape: tuple[int | None, ...], length: int | None = None) -> NDArray[Any]:
    """The dataset ``name`` of ``group``; ``shape``: expected, None for any size; ``length``: of its first axis."""
    if name not in group:
        raise DatasetError(f"{_where(group)} has no '{name}'; it has: {', '.join(group)}")
    data = group[name]
    expected = tuple(length if axis == 0 and length is not None else size for axis, size in enumerate(shape))
    fits = len(data.shape) == len(expected) and all(e is None or e == s for e, s in zip(expected, data.shape))
    if not fits:
        shown = " x ".join("any" if size is None else str(size) for size in expected)
        raise DatasetError(f"{_where(group)}/{name} has shape {data.shape}, expected {shown}")
    try:
        return np.asarray(data[()])
    except (OSError, RuntimeError) as error:
        raise _unreadable(f"{_where(group)}/{name}", error) from error


def pictures(group: h5py.Group, name: str, length: int) -> NDArray[np.uint8]:
    """The pictures uint8 [length, H, W, 3] called ``name``; numbers of another kind would all turn black or grey."""
    images = array(group, name, (None, None, None, 3), length)
    if images.dtype != np.uint8:
        raise DatasetError(
            f"{_where(group)}/{name} holds {images.dtype}, not uint8: pictures from 0 to 255 are needed, as the "
            "project's own scripts store them; make the file anew without normalising them"
        )
    return images


def quaternions(group: h5py.Group, name: str, length: int) -> Rotation:
    """The rotations [length] in ``name``, stored as x y z w."""
    values = array(group, name, (None, 4), length).astype(np.float64)
    bad = np.flatnonzero(~(np.linalg.norm(values, axis=1) > MINIMUM_NORM))
    if len(bad):
        raise DatasetError(f"{_where(group)}/{name}: frame {bad[0]} is no rotation: {values[bad[0]].tolist()}")
    return Rotation.from_quat(values)


def attribute(group: h5py.Group, name: str) -> str:
    """A text attribute of ``group``."""
    if name not in group.attrs:
        raise DatasetError(f"{_where(group)} has no attribute '{name}'; it has: {', '.join(group.attrs) or 'none'}")
    value = group.attrs[name]
    return value.decode() if isinstance(value, bytes) else str(value)


def _where(group: h5py.Group) -> str:
    return f"{group.file.filename}:{group.name}"
