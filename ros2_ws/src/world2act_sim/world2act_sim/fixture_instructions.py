"""Varied wordings of the skills of a table with fixtures; see instructions.py for the others."""

from __future__ import annotations

from typing import Literal

FIXTURE_TEMPLATES: dict[str, dict[Literal["train", "heldout"], tuple[str, ...]]] = {
    "open": {
        "train": (
            "open the {x}", "open up the {x}", "pull the {x} open", "pull open the {x}", "slide the {x} open",
            "please open the {x}", "could you open the {x}", "can you open the {x}", "open the {x} please",
            "pull out the {x}", "pull the {x} out", "I want you to open the {x}", "now open the {x}",
            "open the {x} for me", "could you pull the {x} open", "please pull out the {x}",
        ),
        "heldout": ("please pull the {x} open", "can you pull open the {x}", "slide open the {x}"),
    },
    "close": {
        "train": (
            "close the {x}", "shut the {x}", "push the {x} shut", "push shut the {x}", "close up the {x}",
            "please close the {x}", "please shut the {x}", "could you close the {x}", "can you close the {x}",
            "could you shut the {x}", "close the {x} please", "I want you to close the {x}", "now close the {x}",
            "push the {x} closed", "push closed the {x}", "now shut the {x}",
        ),
        "heldout": ("can you shut the {x}", "shut the {x} please", "please push the {x} shut"),
    },
    "press": {
        "train": (
            "press the {x}", "push the {x}", "press down the {x}", "push down the {x}", "press down on the {x}",
            "please press the {x}", "could you press the {x}", "can you press the {x}", "press the {x} please",
            "hit the {x}", "tap the {x}", "press on the {x}", "I want you to press the {x}", "now press the {x}",
            "could you push the {x}", "hold down the {x}",
        ),
        "heldout": ("please push the {x}", "can you push down the {x}", "push down on the {x}"),
    },
    "push": {
        "train": (
            "push the {x} to the {y}", "slide the {x} to the {y}", "move the {x} to the {y}",
            "push the {x} towards the {y}", "push the {x} {y}", "push the {x} over to the {y}",
            "shove the {x} to the {y}", "please push the {x} to the {y}", "could you push the {x} to the {y}",
            "can you slide the {x} to the {y}", "push the {x} to the {y} side", "move the {x} to the {y} side",
            "I want you to push the {x} to the {y}", "now push the {x} to the {y}",
            "push the {x} to the {y} side of the table", "push the {x} to the {y} please",
        ),
        "heldout": (
            "can you push the {x} to the {y}", "please slide the {x} to the {y}", "slide the {x} towards the {y} side",
            "nudge the {x} to the {y}",
        ),
    },
}  # fmt: skip
