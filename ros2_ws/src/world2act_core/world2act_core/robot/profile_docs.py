"""`python -m world2act_core.robot.profile_docs docs/reference/robot-profiles.md` writes the page from the models."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from world2act_core.robot.fields import ProfileModel
from world2act_core.robot.profile import RobotProfile

HEAD = """# Robot profiles

Made by `python -m world2act_core.robot.profile_docs docs/reference/robot-profiles.md`; a test fails when it is out of
date. A profile is one YAML file that describes an arm. It is data: read with a safe loader, checked field by field,
never executed; a field that is not known is an error. [Your own arm](../how-to/your-own-arm.md) goes from the template
to a running arm.

**Where they are found.** `--robot NAME` looks for `NAME.yaml` in `robots/` of the folder you are in, then in the
checkout's `robots/`, then in what is installed (`share/world2act_core/robots`). A name that ends in `.yaml` or contains
a slash is a path. Models and calibrations that a profile names are relative to the profile's own folder.

| profile | arm | driver | model | figures |
|---|---|---|---|---|
| `fr3` | Franka Research 3, Franka hand | franka_ros2 | robosuite's Panda (same links) | the vendor's |
| `ur5e` | UR5e, Robotiq 2F-85 | ur_robot_driver | robosuite's UR5e (to 2 mm) | jerk: ours, acceleration: the driver's |
| `xarm7` | xArm7, xArm gripper | xarm_ros2 | robosuite's xArm7 | acceleration, jerk: ours, below the vendor's |
| `so101` | SO-101 | one of your own | none: **not runnable yet** | all rates: ours |
| `sim_panda` | the simulated Panda | the simulator | robosuite's Panda | the vendor's |

**What never was.** No real arm was attached where these were written. Limits, topics and joint names are from what the
vendors publish; workspace boxes, margins and speeds are ours and must be measured at your table. `world2act doctor
--robot NAME` compares a profile with the live driver.

**Without a model** (`so101`) there is no kinematics and no distance to the table, and `arm_commander` needs both:
`world2act up real`, the launch files and `doctor` refuse such a profile until `model` is filled in
([how](../how-to/your-own-arm.md#4-the-model)). Lengths are metres, angles radians (metres for joints that slide), poses
are in the base frame, quaternions x y z w.
"""


def profiles_page() -> str:
    """The whole page: one table for each part of a profile, in the order of the file."""
    return "\n".join([HEAD, *_sections("Profile", RobotProfile, "", set())])


def _sections(title: str, model: type[ProfileModel], path: str, seen: set[type]) -> Iterator[str]:
    seen.add(model)
    rows = [f"## {title}", f"{_first_line(model)}\n", "| field | default | allowed | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        cells = (f"`{name}`", _default(field), _allowed(field.annotation, field), field.description or "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    yield "\n".join(rows) + "\n"
    for name, field in model.model_fields.items():
        where = f"{path}{name}"
        for part in _models_in(field.annotation):
            if part in seen:
                continue
            choice = part.model_fields.get("interface")
            suffix = f", interface {get_args(choice.annotation)[0]}" if choice else ""
            yield from _sections(f"`{where}`{suffix}", part, f"{where}.", seen)


def _models_in(annotation: Any) -> list[type[ProfileModel]]:
    """The models that a type is made of, in order."""
    if isinstance(annotation, type) and issubclass(annotation, ProfileModel):
        return [annotation]
    return [model for item in get_args(annotation) for model in _models_in(item)]


def _first_line(model: type[ProfileModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, ProfileModel):
        return "the defaults below"
    if field.default is None:
        return "`null`"
    if field.default == ():
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _allowed(annotation: Any, field: FieldInfo | None = None) -> str:
    """A type in words, with the bounds of its field."""
    words = _type_words(annotation)
    bounds = []
    for item in field.metadata if field else ():
        for key, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
            if (value := getattr(item, key, None)) is not None:
                bounds.append(f"{sign} {value:g}")
    return f"{words} {' and '.join(bounds)}" if bounds else words


def _type_words(annotation: Any) -> str:
    origin, items = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_words(items[0])
    if origin is Literal:
        return ", ".join(f"`{item}`" for item in items)
    if origin in (Union, types.UnionType):
        if all(_models_in(item) for item in items):
            return "one of the interfaces below"
        return " or ".join("`null`" if item is type(None) else _type_words(item) for item in items)
    if origin is tuple:
        if len(items) == 2 and items[1] is Ellipsis:
            return f"list of {_type_words(items[0])}"
        return f"{len(items)} of {_type_words(items[0])}"
    if origin is dict:
        return f"mapping of {_type_words(items[0])} to {_type_words(items[1])}"
    if _models_in(annotation):
        return "fields below"
    return {float: "number", int: "integer", str: "text", bool: "`true` or `false`"}[annotation]


def main() -> int:
    """Write the page to the path given, or print it."""
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(profiles_page())
    else:
        print(profiles_page(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
