"""`python -m world2act.parameter_docs docs/reference/parameters.md` writes the page from what each node declares."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from world2act.base_node import COMMON_PARAMETERS
from world2act.graph import EXECUTABLES
from world2act.parameters import Parameter

HEAD = """# Node parameters

Made by `python -m world2act.parameter_docs docs/reference/parameters.md`; a test fails when it is out of date. The same
comes from `ros2 param describe`. A parameter is read when the node starts and fixed then, a change needs a restart; one
that is "live" can be changed while the node runs: `world2act set NODE PARAMETER VALUE`. Values outside the range are
refused with the parameter's name. `world2act up` and the launch files set the few that differ from the default
(`world2act/graph.py`).
"""


def parameters_page() -> str:
    """The whole page: one table for what all nodes have, one per node."""
    parts = [HEAD, _table("Every node", COMMON_PARAMETERS)]
    for name in EXECUTABLES:
        module = importlib.import_module(f"world2act.nodes.{name}")
        parts.append(_table(f"`{name}`", module.PARAMETERS))
    return "\n".join(parts)


def _table(title: str, parameters: tuple[Parameter, ...]) -> str:
    rows = [f"## {title}", "| parameter | default | unit | allowed | meaning |", "|---|---|---|---|---|"]
    for parameter in parameters:
        allowed = f"{parameter.allowed()}, live" if parameter.live else parameter.allowed()
        cells = (f"`{parameter.name}`", _default(parameter), parameter.unit, allowed, parameter.description)
        rows.append(f"| {' | '.join(_escaped(cell) for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("<", "&lt;")


def _default(parameter: Parameter) -> str:
    if isinstance(parameter.default, tuple) and any(parameter.default):
        return ", ".join(f"`{item}`" for item in parameter.default)
    return f"`{parameter.default}`" if parameter.default not in ("", ("",)) else "empty"


def main() -> int:
    """Write the page to the path given, or print it."""
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(parameters_page())
    else:
        print(parameters_page(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
