"""Which episodes the demonstration runs: instruction and seed, fixed, so that everybody sees the same."""

from __future__ import annotations

from dataclasses import dataclass

INSTRUCTIONS = (
    "pick up the red cube",
    "put the can in the bin",
    "stack the green cube on the blue cube",
    "put the yellow cylinder on the plate",
    "pick up the orange ball and put it in the bin",
    "put the can in the bin, then stack the red cube on the green one",
)
"""Four single skills and two composites, in different words."""

EPISODES = 12
FIRST_SEED = 1000


@dataclass(frozen=True)
class DemoEpisode:
    """One episode to run."""

    instruction: str
    seed: int


def demo_episodes(count: int = EPISODES) -> tuple[DemoEpisode, ...]:
    """The first `count` episodes: the instructions in turn, a new seed for each."""
    if count < 1:
        raise ValueError(f"need at least one episode, got {count}")
    return tuple(DemoEpisode(INSTRUCTIONS[i % len(INSTRUCTIONS)], FIRST_SEED + i) for i in range(count))
