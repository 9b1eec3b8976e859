"""What every recording of one recorder says about itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from world2act.bundle_access import read_contract
from world2act.errors import ConfigurationError
from world2act_core import __version__
from world2act_core.files import sha256_file
from world2act_core.manifest import MANIFEST_NAME, BundleError, read_manifest
from world2act_core.recording.layout import Header, Kind


@dataclass(frozen=True)
class HeaderMaker:
    """Makes the header of each recording; everything that is the same in all of them is in here."""

    bundle_name: str
    bundle_sha256: str
    contract: str
    robot_profile: str
    namespace: str
    lockstep: bool

    @classmethod
    def of_bundle(cls, bundle: str, robot_profile: str, namespace: str, lockstep: bool) -> HeaderMaker:
        """For the bundle in folder `bundle`. Raises ConfigurationError when it is none."""
        contract = read_contract(bundle)
        try:
            name = read_manifest(Path(bundle)).name
            digest = sha256_file(Path(bundle) / MANIFEST_NAME)
        except (BundleError, OSError) as error:
            raise ConfigurationError(
                f"the bundle {bundle} has no usable manifest: {error}", "point parameter 'bundle' at a complete export"
            ) from error
        return cls(name, digest, contract.to_text(), robot_profile, namespace, lockstep)

    def make(self, kind: Kind, plan_id: int = 0, instruction: str = "", note: str = "") -> Header:
        """The header of a recording that begins now."""
        return Header(
            kind, self.bundle_name, self.bundle_sha256, self.contract, __version__, time.time_ns(), plan_id,
            instruction, note, self.robot_profile, self.namespace, self.lockstep,
        )  # fmt: skip
