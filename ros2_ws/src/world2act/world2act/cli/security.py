"""`world2act security policies --out FOLDER`: who may use what, as SROS2 reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from world2act import topics
from world2act.bundle_access import read_contract
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE
from world2act.security.access import DriverTopics, graph_access
from world2act.security.policy import policy_xml
from world2act_core.files import StorageError, atomic_write_text

POLICY_FILE = "world2act.policy.xml"


@dataclass(frozen=True)
class Security:
    """Write the SROS2 policy of the graph: an enclave per node, and which topics, services and actions each may use."""

    what: tyro.conf.Positional[Literal["policies"]]
    """What to write."""
    out: Path
    """Folder for it."""
    bundle: Path = Path(DEFAULT_BUNDLE)
    """Bundle whose contract names the cameras."""

    def run(self) -> int:
        """Returns the exit status."""
        cameras = read_contract(str(self.bundle)).cameras
        driver = DriverTopics(images=tuple(topics.image_topic(camera.name) for camera in cameras))
        path = self.out / POLICY_FILE
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            atomic_write_text(path, policy_xml(graph_access(driver)))
        except (StorageError, OSError) as error:
            raise GraphError(f"--out {self.out}: {error}") from error
        console = Console()
        console.print(
            f"{path}: {len(graph_access(driver))} enclaves. What to do with it:", markup=False, soft_wrap=True
        )
        console.print(f"  ros2 security generate_artifacts -k KEYSTORE -p {path}", markup=False, soft_wrap=True)
        return 0
