"""The contract of a dataset that is being written: the first run puts it there, later ones must fit it."""

from __future__ import annotations

from pathlib import Path

from training.common.errors import DatasetError
from training.data import layout
from world2act_core.compatibility import ContractMismatch, check_compatible
from world2act_core.contract import Contract


def claim_contract(contract: Contract, root: Path, where: str) -> None:
    """Write ``contract`` into the dataset at ``root``, or check that what is there means the same.

    Raises :class:`DatasetError` naming both sides; unlike elsewhere, picture sizes must agree too, for the episodes of
    a dataset share video files.
    """
    path = root / layout.CONTRACT_PATH
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        contract.to_yaml(path)
        return
    there = Contract.from_yaml(path)
    try:
        check_compatible(contract, there, where, str(path))
    except ContractMismatch as error:
        raise DatasetError(f"{error} (or choose another --out)") from error
    for camera in contract.cameras:
        known = there.camera(camera.name)
        if (camera.width, camera.height) != (known.width, known.height):
            raise DatasetError(
                f"camera {camera.name}: {where} has pictures of {camera.width} x {camera.height}, {path} has "
                f"{known.width} x {known.height}; choose another --out for each size"
            )
