"""The reset_episode service of whoever owns the simulated world."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.episode import Episode, EpisodeError, EpisodeRequest
from world2act.episode_messages import episode_request, reset_answer
from world2act_interfaces.srv import ResetEpisode
from world2act_sim.world import TabletopWorld

Begun = tuple[Episode, int]
Begin = Callable[[EpisodeRequest], Begun | Awaitable[Begun]]
"""Sets an episode up; returns it and the time from which it is valid [ns]. Raises EpisodeError with nothing changed.
May be a coroutine of rclpy's kind: the node works on while it waits."""


def offer_reset(node: ManagedNode, world: TabletopWorld, begin: Begin) -> None:
    """Offer the service until the node is cleaned up; it answers with the reason when nothing can be reset."""

    async def reset(request: ResetEpisode.Request, response: ResetEpisode.Response) -> ResetEpisode.Response:
        if not node.active:
            response.message = f"{node.get_name()} is not active: bring the graph up first (`world2act up sim`)"
            return response
        try:
            begun = begin(episode_request(request))
            episode, stamp_ns = await begun if inspect.isawaitable(begun) else begun
        except (EpisodeError, ValueError, KeyError) as error:
            response.message = f"nothing was changed: {error}"
            return response
        return reset_answer(response, episode, world, stamp_ns)

    # A group of its own: one reset at a time, and nothing else of the node waits for it.
    group = MutuallyExclusiveCallbackGroup()
    service = node.create_service(ResetEpisode, topics.RESET_EPISODE, reset, callback_group=group)
    node.own(lambda: node.destroy_service(service))
