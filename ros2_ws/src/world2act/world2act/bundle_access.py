"""What the nodes read of a bundle's folder before, or without, loading its network."""

from __future__ import annotations

from pathlib import Path

from world2act.errors import ConfigurationError
from world2act.parameters import Parameter
from world2act_core.contract import Contract, ContractError

BUNDLE_PARAMETER = Parameter(
    "bundle", "models/tabletop-nano", "Folder of the policy bundle (manifest.yaml, contract.yaml, policy.onnx)"
)


def read_contract(bundle: str) -> Contract:
    """The contract of the bundle in folder `bundle`.

    Raises ConfigurationError when the folder or its contract.yaml is missing or cannot be understood.
    """
    folder = Path(bundle)
    path = folder / "contract.yaml"
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no bundle folder {folder.absolute()}",
            "give parameter 'bundle' the path of an exported bundle, or export one with `python -m training export`",
        )
    try:
        return Contract.from_yaml(path)
    except (OSError, ContractError) as error:
        raise ConfigurationError(
            f"the bundle {folder} has no usable contract: {error}",
            "export the bundle again with `python -m training export`",
        ) from error
