"""Options that several subcommands share, checked in one place."""

from __future__ import annotations

from pathlib import Path

from world2act.errors import GraphError
from world2act.graph import MAX_DOMAIN_ID


def check_domain(domain: int | None) -> int | None:
    """The domain, if DDS can use it. Raises GraphError."""
    if domain is not None and not 0 <= domain <= MAX_DOMAIN_ID:
        raise GraphError(f"--domain {domain} cannot be used: choose 0 to {MAX_DOMAIN_ID}")
    return domain


def check_bundle(bundle: Path) -> str:
    """The bundle's absolute path, if it is a folder with a manifest. Raises GraphError."""
    if not (bundle / "manifest.yaml").is_file():
        raise GraphError(
            f"there is no bundle in {bundle.absolute()} (no manifest.yaml): give --bundle the folder of one. "
            f"Start from the repository's root for models/tabletop-nano"
        )
    return str(bundle.absolute())
