"""Where faults are made: a folder for the time being, and a copy of the bundle in it that may be damaged."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from world2act.errors import GraphError
from world2act_core.manifest import BundleError, read_manifest, save_manifest


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the time being. Raises GraphError when there is no place for one."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="world2act-faults-")
    except OSError as error:
        raise GraphError(
            f"no folder for a copy of the bundle: {error}; set TMPDIR to one that can be written"
        ) from error
    with folder as path:
        yield Path(path)


def copy_of(bundle: Path, folder: Path) -> Path:
    """A copy of the bundle in `folder` that may be damaged; it uses the original's text encoder.

    Not beside the original: an installed bundle often lies where nothing may be written. Raises GraphError.
    """
    copy = folder / "bundle" / bundle.name
    try:
        shutil.copytree(bundle, copy, copy_function=shutil.copyfile)  # whose may be read only
        manifest = read_manifest(bundle)
        shared = os.path.relpath((bundle / manifest.text_encoder.folder).resolve(), copy.resolve())
        encoder = manifest.text_encoder.model_copy(update={"folder": Path(shared).as_posix()})
        save_manifest(copy, manifest.model_copy(update={"text_encoder": encoder}))
    except (OSError, BundleError) as error:
        raise GraphError(
            f"the bundle {bundle} cannot be copied to {folder}: {error}; set TMPDIR to a folder with room for it"
        ) from error
    return copy
