"""What the nodes read of a bundle's folder before, or without, loading its network."""

from __future__ import annotations

from pathlib import Path

from world2act.errors import ConfigurationError
from world2act.parameters import Parameter
from world2act_core.contract import Contract, ContractError
from world2act_core.manifest import CONTRACT_NAME, MANIFEST_NAME, BundleError, read_manifest, verify_files
from world2act_core.monitor_config import MONITOR_NAME, MonitorConfig, read_bundle_monitor

BUNDLE_PARAMETER = Parameter(
    "bundle", "models/tabletop-nano", "Folder of the policy bundle (manifest.yaml, contract.yaml, policy.onnx)"
)

SUPPORTED_STATE = ("eef_position", "eef_rotation", "gripper_width")


def read_contract(bundle: str) -> Contract:
    """The contract of the bundle in folder `bundle`, read only if it has the checksum that the manifest declares.

    A folder without a manifest has no checksums to compare with: vla_policy, which needs one, refuses it. Raises
    ConfigurationError when the folder or its contract.yaml is missing, was changed or cannot be understood.
    """
    folder = Path(bundle)
    path = folder / CONTRACT_NAME
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no bundle folder {folder.absolute()}",
            "give parameter 'bundle' the path of an exported bundle, or export one with `python -m training export`",
        )
    try:
        if (folder / MANIFEST_NAME).exists():
            verify_files(folder, {CONTRACT_NAME: read_manifest(folder).files[CONTRACT_NAME]}, folder)
        return Contract.from_yaml(path)
    except (OSError, ContractError, BundleError) as error:
        raise ConfigurationError(
            f"the bundle {folder} has no usable contract: {error}",
            "export the bundle again with `python -m training export`",
        ) from error


def require_supported_state(contract: Contract) -> None:
    """Raises ConfigurationError when camera_ingest cannot build the state that the bundle's policy wants."""
    names = tuple(dimension.name for dimension in contract.state)
    if names != SUPPORTED_STATE:
        raise ConfigurationError(
            f"the bundle's contract wants the state {names}, camera_ingest can build {SUPPORTED_STATE}",
            "use a bundle made for an arm with these states",
        )


def read_monitor(bundle: str) -> MonitorConfig | None:
    """The monitor of the bundle in folder `bundle`; None when it has none.

    Raises ConfigurationError when it is damaged, not listed in the manifest, or was calibrated for other weights.
    """
    folder = Path(bundle)
    if not (folder / MANIFEST_NAME).exists() and not (folder / MONITOR_NAME).exists():
        return None
    try:
        return read_bundle_monitor(folder, read_manifest(folder))
    except BundleError as error:
        raise ConfigurationError(str(error), "calibrate the monitor again, or take it out of the bundle") from error
