"""Options that several subcommands share, checked in one place."""

from __future__ import annotations

import os
from pathlib import Path

from world2act.errors import GraphError
from world2act.graph import MAX_DOMAIN_ID, GraphOptions
from world2act_core.imagined import ImaginedCodesError, read_code_book
from world2act_core.llm import LlmEndpoint, LlmError, require_openai
from world2act_core.manifest import BundleError, read_manifest

LAST_DOMAIN_ID = 232
"""The last one with ports; from MAX_DOMAIN_ID on they may be taken, which is up to whoever has set the variable."""


def check_domain(domain: int | None) -> int | None:
    """The domain, if DDS can use it; None where ROS_DOMAIN_ID is to say, which is checked too. Raises GraphError."""
    if domain is not None and not 0 <= domain <= MAX_DOMAIN_ID:
        raise GraphError(f"--domain {domain} cannot be used: choose 0 to {MAX_DOMAIN_ID}")
    variable = os.environ.get("ROS_DOMAIN_ID") or "0"
    if domain is None and not (variable.isdecimal() and int(variable) <= LAST_DOMAIN_ID):
        raise GraphError(
            f"ROS_DOMAIN_ID={variable} is no ROS domain: set it to 0 to {MAX_DOMAIN_ID}, unset it, or give --domain"
        )
    return domain


def check_bundle(bundle: Path) -> str:
    """The bundle's absolute path, if it is a folder with a manifest that can be read. Raises GraphError.

    Whether the files are those of the manifest, vla_policy looks when it loads them.
    """
    if not (bundle / "manifest.yaml").is_file():
        raise GraphError(
            f"there is no bundle in {bundle.absolute()} (no manifest.yaml): give --bundle the folder of one. "
            f"Start from the repository's root for models/tabletop-nano"
        )
    try:
        read_manifest(bundle)
    except BundleError as error:
        raise GraphError(f"--bundle: {error}") from error
    return str(bundle.absolute())


def check_codes(path: Path | None) -> str:
    """The absolute path of a file of imagined codes that can be read, "" for None. Raises GraphError."""
    if path is None:
        return ""
    try:
        read_code_book(path)
    except ImaginedCodesError as error:
        raise GraphError(f"--imagined-codes: {error}") from error
    return str(path.absolute())


def check_llm(options: GraphOptions) -> None:
    """That a language-model planner can work at all, before anything is started. Raises GraphError."""
    if options.planner != "llm":
        return
    try:
        LlmEndpoint(options.llm_base_url, options.llm_model, options.llm_api_key_variable, options.llm_timeout)
        require_openai()
    except (ValueError, LlmError) as error:
        raise GraphError(
            f"--planner llm cannot be used: {error}. Give --llm-base-url and --llm-model; `world2act doctor` with the "
            f"same two options says whether the model is there"
        ) from error
