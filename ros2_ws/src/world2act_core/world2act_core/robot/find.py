"""Where robot profiles are: in this folder, in the checkout, or installed with the package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from world2act_core.robot.profile import ProfileError, RobotProfile

TEMPLATE = "template"


def profile_folders() -> list[Path]:
    """Folders with profiles that exist, the first one wins: ./robots, the checkout's, then installed ones."""
    return [folder for folder in dict.fromkeys(_candidates()) if folder.is_dir()]


def _candidates() -> Iterator[Path]:
    yield Path.cwd() / "robots"
    # One walk up from this file meets a checkout's root, a venv (pip) and an install space (colcon) alike.
    for parent in Path(__file__).resolve().parents:
        if (parent / "ros2_ws").is_dir():
            yield parent / "robots"
        yield parent / "share" / "world2act_core" / "robots"


def profile_names() -> list[str]:
    """Names of all profiles that can be found, sorted; the template is none."""
    return sorted({path.stem for folder in profile_folders() for path in folder.glob("*.yaml")} - {TEMPLATE})


def profile_list() -> str:
    """All profiles for a person, separated by commas; those without a model, which cannot be run yet, are marked."""
    return ", ".join(
        f"{name} (not runnable yet: no model)" if _lacks_a_model(name) else name for name in profile_names()
    )


def _lacks_a_model(name: str) -> bool:
    try:
        return find_profile(name).model is None
    except ProfileError:
        return False  # whoever names it is told what is wrong


def find_profile(name_or_path: str) -> RobotProfile:
    """The profile called `name_or_path`, or in the file of that path (with .yaml, or with a slash).

    Raises ProfileError: there is none (the message lists what there is), or it is wrong.
    """
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        return RobotProfile.from_yaml(Path(name_or_path).expanduser())
    for folder in profile_folders():
        path = folder / f"{name_or_path}.yaml"
        if path.is_file():
            return RobotProfile.from_yaml(path)
    raise ProfileError(
        f"no robot profile {name_or_path!r}. There are: {profile_list() or 'none'}. "
        f"Name one of them, give the path of a file, or copy "
        f"robots/template.yaml to robots/{name_or_path}.yaml and fill it in"
    )
