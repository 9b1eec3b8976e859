"""The benchmark's figures as tables for people."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.bench.results import Row, Section


def show(console: Console, sections: list[Section]) -> None:
    """Rows, checks, stages, notes and failures of every section."""
    console.print(_rows(sections))
    if any(section.checks for section in sections):
        console.print(_checks(sections))
    if any(section.stages for section in sections):
        console.print(_stages(sections))
    for section in sections:
        for note in section.notes:
            console.print(f"  {section.name}: {note}", style="dim", highlight=False, markup=False, soft_wrap=True)
        if section.error:
            console.print(f"  {section.name} FAILED: {section.error}", style="bold red", markup=False, soft_wrap=True)


def _rows(sections: list[Section]) -> Table:
    table = Table(title="ours against the named alternative (medians unless named otherwise; \\[quartiles])")
    table.add_column("what", ratio=3)
    table.add_column("against", ratio=3)
    for title in ("ours", "theirs"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("unit")
    table.add_column("ratio", justify="right", no_wrap=True)
    table.add_column("target", no_wrap=True)
    for section in sections:
        for row in section.rows:
            table.add_row(
                escape(row.name),
                escape(row.alternative),
                _figure(row.ours, row.spread_ours),
                _figure(row.theirs, row.spread_theirs),
                row.unit,
                f"{row.ratio:.2f}x",
                _target(row),
            )
        table.add_section()
    return table


def _figure(value: float, spread: tuple[float, float]) -> str:
    return f"{value:.1f}\n[dim]\\[{spread[0]:.1f}, {spread[1]:.1f}][/]"


def _target(row: Row) -> str:
    if row.met is None:
        return "-"
    return f"{row.target}\n{_met(row.met)}"


def _met(met: bool) -> str:
    return "[green]met[/]" if met else "[bold red]not met[/]"


def _checks(sections: list[Section]) -> Table:
    table = Table("check", "value", "unit", "target", "", title="what must hold for the figures to be comparable")
    for section in sections:
        for check in section.checks:
            name = escape(f"{section.name}: {check.name}")
            table.add_row(name, f"{check.value:.4g}", check.unit, check.target, _met(check.met))
    return table


def _stages(sections: list[Section]) -> Table:
    table = Table("of", "stage", "ms", "share", title="where the time goes")
    for section in sections:
        for stage in section.stages:
            share = "" if stage.share is None else f"{stage.share:.0%}"
            table.add_row(escape(f"{section.name}: {stage.of}"), escape(stage.name), f"{stage.ms:.3f}", share)
        table.add_section()
    return table
