from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from world2act_core.contract import CameraSpec
from world2act_core.files import (
    DiskFullError,
    StorageError,
    atomic_write_bytes,
    atomic_write_text,
    sha256_file,
    storage_error,
)
from world2act_core.images import fit_image


def camera(size: int, crop: tuple[float, float, float, float] | None = None) -> CameraSpec:
    return CameraSpec(name="scene", view="scene", width=size, height=size, crop=crop)


def test_shrinking_averages_areas() -> None:
    # A 4x4 checkerboard of 0 and 200: every 2x2 area averages to 100.
    image = np.where(np.indices((4, 4)).sum(axis=0) % 2, 200, 0).astype(np.uint8)[..., None].repeat(3, axis=2)
    fitted = fit_image(image, camera(2))
    assert fitted.shape == (2, 2, 3) and fitted.dtype == np.uint8
    assert (fitted == 100).all()


def test_width_and_height_are_not_swapped() -> None:
    spec = CameraSpec(name="wide", view="scene", width=6, height=2)
    assert fit_image(np.zeros((8, 12, 3), dtype=np.uint8), spec).shape == (2, 6, 3)


def test_same_size_is_unchanged_and_contiguous() -> None:
    image = np.random.default_rng(0).integers(0, 256, size=(5, 8, 3), dtype=np.uint8)[:, ::-1][:, :5]
    fitted = fit_image(image, camera(5))
    np.testing.assert_array_equal(fitted, image)
    assert fitted.flags.c_contiguous


def test_crop_is_in_fractions_of_the_source() -> None:
    image = np.zeros((10, 20, 3), dtype=np.uint8)
    image[5:, 10:] = 255  # the lower right quarter
    assert (fit_image(image, camera(5, crop=(0.5, 0.5, 0.5, 0.5))) == 255).all()
    assert (fit_image(image, camera(5, crop=(0.0, 0.0, 0.5, 1.0))) == 0).all()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 4), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.float32),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
)
def test_other_arrays_are_refused_by_camera_name(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="camera 'scene'"):
        fit_image(image, camera(2))


def test_atomic_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.yaml"
    atomic_write_text(target, "old")
    atomic_write_text(target, "ñew")
    assert target.read_text(encoding="utf-8") == "ñew"
    assert list(target.parent.iterdir()) == [target]
    assert sha256_file(target) == hashlib.sha256("ñew".encode()).hexdigest()
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file where a folder is needed")
    with pytest.raises(StorageError, match="cannot write .*folder/x"):
        atomic_write_bytes(tmp_path / "folder" / "x", b"data")
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match="taken"):
        atomic_write_bytes(tmp_path / "taken", b"data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "taken"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_named() -> None:
    try:
        with open("/dev/full", "wb", buffering=0) as stream:
            stream.write(b"data")
    except OSError as error:
        assert error.errno == errno.ENOSPC
        clear = storage_error("episodes/7", error)
    assert isinstance(clear, DiskFullError) and clear.errno == errno.ENOSPC
    assert "no space left while writing episodes/7" in str(clear) and "free some space" in str(clear)
