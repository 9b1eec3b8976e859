"""A snapshot as one screen of a terminal, whatever its size."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from world2act.live.snapshot import NodeView, Snapshot
from world2act.live.text import facts

STYLES = {"OK": "green", "DEGRADED": "yellow", "FAULT": "bold red", "silent": "bold red"}


def screen(snapshot: Snapshot) -> RenderableType:
    """Nodes on top, then arm, task, policy, safety and recorder, then what is wrong and what to do."""
    if not snapshot.nodes:
        return Text(f"No graph answers on ROS domain {snapshot.domain} yet. `world2act up sim` starts one.")
    title = Text(f"World2Act on domain {snapshot.domain}    (Ctrl-C ends)", style="bold")
    return Group(title, Text(""), _nodes(snapshot), Text(""), _facts(snapshot), Text(""), _troubles(snapshot))


def _nodes(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("node", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("report", justify="right", no_wrap=True)
    table.add_column("rate [Hz] and age [s]", ratio=1)
    table.add_column("latency p50 / p99 [ms]", ratio=1)
    for node in snapshot.nodes:
        key = "silent" if node.silent else node.level
        state = "silent" if node.silent else f"{node.state} {node.fault}".rstrip()
        table.add_row(
            node.name, Text(state, style=STYLES.get(key, "")), f"{node.age_s:.1f} s", _rates(node), _latencies(node)
        )
    return table


def _rates(node: NodeView) -> Text:
    return Text(
        "  ".join(f"{name} {hz:.1f} ({node.ages_s.get(name, 0.0):.2f})" for name, hz in sorted(node.rates_hz.items()))
    )


def _latencies(node: NodeView) -> Text:
    return Text("  ".join(f"{name} {p50:.1f}/{p99:.1f}" for name, (p50, p99) in sorted(node.latencies_ms.items())))


def _facts(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, expand=True)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(ratio=1)
    for name, words in facts(snapshot):
        # Text, not markup: a message may hold anybody's words.
        held = name == "arm" and words.startswith("holds")
        table.add_row(name, Text(words, style="yellow" if held else ""))
    return table


def _troubles(snapshot: Snapshot) -> RenderableType:
    if not snapshot.troubles:
        return Text("Nothing is wrong.", style="green")
    return Group(*(Text(line, style="red") for line in snapshot.troubles))
