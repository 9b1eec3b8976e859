"""`python -m world2act.interface_docs ros2_ws/src/world2act_interfaces docs/reference/messages.md` writes the page."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

HEAD = """# Messages, services and actions

Made by `python -m world2act.interface_docs ros2_ws/src/world2act_interfaces docs/reference/messages.md` from the
comments in the files; a test fails when it is out of date, or when a field has no comment. The same comes from
`ros2 interface show`. Who sends what to whom: [Interfaces](interfaces.md).
"""
KINDS = {
    "msg": ("Messages", ("",)),
    "srv": ("Services", ("Request", "Response")),
    "action": ("Actions", ("Goal", "Result", "Feedback")),
}
"""Folder -> title, and what the parts between `---` are called."""
_CONSTANT = re.compile(r"^(\S+) ([A-Z][A-Z0-9_]*)\s*=\s*(.+)$")
_FIELD = re.compile(r"^(\S+) ([a-z]\w*)(?: (.+))?$")


class InterfaceError(ValueError):
    """An interface file with a line that is not explained or not understood; the message names it."""


@dataclass
class Rows:
    """Fields that one comment explains together, or constants that stand together."""

    meaning: str
    names: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)


@dataclass
class Interface:
    """One file: what it is for, and the rows of each of its parts."""

    name: str
    purpose: str
    parts: list[list[Rows]]


def read_interface(path: Path) -> Interface:
    """Parse one .msg, .srv or .action file. Raises InterfaceError for a field without a comment."""
    parts: list[list[Rows]] = [[]]
    comment: list[str] = []
    purpose = ""
    rows: Rows | None = None
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.startswith("#"):
            comment.append(line.lstrip("# "))
            rows = None
            continue
        if not line.strip() or line == "---":
            # A comment with nothing right under it is about the whole file.
            purpose, comment, rows = purpose or " ".join(comment), [], None
            if line == "---":
                parts.append([])
            continue
        name, kind = _declared(line, f"{path.name}:{number}")
        if rows is None:
            if not comment and "=" not in name:
                raise InterfaceError(f"{path.name}:{number}: {line!r} needs a comment: its unit, frame or range")
            rows = Rows(" ".join(comment))
            parts[-1].append(rows)
            comment = []
        rows.names.append(name)
        rows.types.append(kind)
    return Interface(path.stem, purpose, parts)


def _declared(line: str, where: str) -> tuple[str, str]:
    """Name and type of a field, or `NAME=value` and type of a constant."""
    if constant := _CONSTANT.match(line):
        return f"{constant[2]}={constant[3]}", constant[1]
    if found := _FIELD.match(line):
        return found[2] + (f"={found[3]}" if found[3] else ""), found[1]
    raise InterfaceError(f"{where}: {line!r} is neither a field nor a constant")


def interfaces_page(folder: Path) -> str:
    """The whole page for the package in `folder`."""
    text = [HEAD]
    for kind, (title, names) in KINDS.items():
        text.append(f"## {title}\n")
        for path in sorted((folder / kind).glob(f"*.{kind}")):
            text.append(_section(read_interface(path), names))
    return "\n".join(text)


def _section(interface: Interface, part_names: tuple[str, ...]) -> str:
    lines = [f"### {interface.name}", interface.purpose, ""]
    for name, part in zip(part_names, interface.parts, strict=True):
        if name:
            lines += [f"{name}:" if part else f"{name}: empty.", ""]
        if part:
            lines += ["| field | type | meaning |", "|---|---|---|"]
            lines += [_row(rows) for rows in part]
            lines.append("")
    return "\n".join(lines)


def _row(rows: Rows) -> str:
    names = "<br>".join(f"`{name}`" for name in rows.names)
    types = "<br>".join(f"`{kind}`" for kind in rows.types) if len(set(rows.types)) > 1 else f"`{rows.types[0]}`"
    meaning = rows.meaning.replace("|", "\\|").replace("<", "&lt;") or "constants"
    return f"| {names} | {types} | {meaning} |"


def main() -> int:
    """Write the page to the path given, or print it."""
    if len(sys.argv) not in (2, 3):
        print("usage: python -m world2act.interface_docs FOLDER [PAGE]", file=sys.stderr)
        return 2
    page = interfaces_page(Path(sys.argv[1]))
    if len(sys.argv) == 3:
        Path(sys.argv[2]).write_text(page)
    else:
        print(page, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
