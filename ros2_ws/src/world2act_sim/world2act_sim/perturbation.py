"""What may differ between the world a policy was trained in and the world it is tested in."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Perturbation:
    """Strengths of the changes applied at a reset; all zero or False is the nominal ("seen") world.

    Attributes:
        light: 0..1, spread of the light's colour, strength and direction (1: half to double brightness, tinted).
        camera_pose: 0..1, spread of the scene camera's pose (1: up to 8 cm and 6 degrees).
        texture: another table surface.
        distractors: how many objects outside the vocabulary also lie on the table (0..3).
        unseen_instance: primitives get another size and shade.
        unseen_category: one target is an object the policy has never seen.
    """

    light: float = 0.0
    camera_pose: float = 0.0
    texture: bool = False
    distractors: int = 0
    unseen_instance: bool = False
    unseen_category: bool = False

    def with_changes(self, **changes: object) -> Perturbation:
        """A copy with some strengths changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


SEEN = Perturbation(light=0.12, camera_pose=0.05)
"""The training world: a little jitter in light and camera, as between two days in a lab."""

SPLITS: dict[str, Perturbation] = {
    "seen": SEEN,
    "light": SEEN.with_changes(light=1.0),
    "camera": SEEN.with_changes(camera_pose=1.0),
    "texture": SEEN.with_changes(texture=True),
    "distractors": SEEN.with_changes(distractors=3),
    "unseen_instance": SEEN.with_changes(unseen_instance=True),
    "unseen_category": SEEN.with_changes(unseen_category=True),
}
