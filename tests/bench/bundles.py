"""Which bundle is measured. Loads torch only when it must make one."""

from __future__ import annotations

from pathlib import Path

from tests.bench.results import BenchError
from world2act_core.bundle import BundleError, load_bundle
from world2act_core.contract import ContractError


def usable_bundle(bundle: Path, work: Path) -> tuple[Path, str]:
    """(folder, note): the bundle itself, or an untrained one of the same size, made once, when there is none."""
    if (bundle / "manifest.yaml").is_file():
        return bundle, f"bundle {bundle}"
    substitute = work / "untrained"
    if not _current(substitute):
        from tests.bench.network import export_untrained

        print(f"exporting an untrained network to {substitute} (half a minute)", flush=True)
        export_untrained(substitute)
    return substitute, f"there is no {bundle}: an untrained network of the same size stands in for it"


def _current(folder: Path) -> bool:
    """Whether an earlier run left a bundle that the present code can still read."""
    if not (folder / "manifest.yaml").is_file():
        return False
    from tests.bench.network import network_of_graph

    try:
        made = load_bundle(folder)
        network_of_graph(made.graph_path, made.contract)
    except (BundleError, BenchError, ContractError, OSError):
        return False
    return True
