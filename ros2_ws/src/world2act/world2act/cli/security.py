"""`world2act security policies --out FOLDER`: who may use what, as SROS2 reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from world2act.bundle_access import read_contract
from world2act.errors import GraphError
from world2act.graph import DEFAULT_BUNDLE, GraphOptions, build_graph
from world2act.security.access import driver_topics, graph_access
from world2act.security.policy import policy_xml
from world2act_core.files import StorageError, atomic_write_text
from world2act_core.robot.find import find_profile
from world2act_core.robot.profile import ProfileError

POLICY_FILE = "world2act.policy.xml"
RECORDINGS = "runs/recordings"
"""Any folder: the recorder is part of the policy, whether this graph records or not."""


@dataclass(frozen=True)
class Security:
    """Write the SROS2 policy of the graph: an enclave per node, and which topics, services and actions each may use."""

    what: tyro.conf.Positional[Literal["policies"]]
    """What to write."""
    out: Path
    """Folder for it."""
    bundle: Path = Path(DEFAULT_BUNDLE)
    """Bundle whose contract names the cameras."""
    robot: str = ""
    """Robot profile whose driver and cameras take part: a name or a file. Default: the simulator's Cartesian arm."""

    def run(self) -> int:
        """Returns the exit status."""
        cameras = [camera.name for camera in read_contract(str(self.bundle)).cameras]
        options = GraphOptions(bundle=str(self.bundle), profile=self.robot, record=RECORDINGS)
        try:
            driver = driver_topics(find_profile(self.robot) if self.robot else None, cameras)
            table = graph_access(build_graph("sim", options), driver)
        except ProfileError as error:
            raise GraphError(f"--robot {self.robot}: {error}") from error
        path = self.out / POLICY_FILE
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            atomic_write_text(path, policy_xml(table))
        except (StorageError, OSError) as error:
            raise GraphError(f"--out {self.out}: {error}") from error
        console = Console()
        console.print(f"{path}: {len(table)} enclaves. What to do with it:", markup=False, soft_wrap=True)
        console.print(f"  ros2 security generate_artifacts -k KEYSTORE -p {path}", markup=False, soft_wrap=True)
        return 0
