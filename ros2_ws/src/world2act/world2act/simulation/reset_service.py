"""The reset_episode service of whoever owns the simulated world."""

from __future__ import annotations

from collections.abc import Callable

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.episode import Episode, EpisodeError, EpisodeRequest
from world2act.episode_messages import episode_request, reset_answer
from world2act_interfaces.srv import ResetEpisode
from world2act_sim.world import TabletopWorld

Begin = Callable[[EpisodeRequest], tuple[Episode, int]]
"""Sets an episode up; returns it and the time from which it is valid [ns]. Raises EpisodeError with nothing changed."""


def offer_reset(node: ManagedNode, world: TabletopWorld, begin: Begin) -> None:
    """Offer the service until the node is cleaned up; it answers with the reason when nothing can be reset."""

    def reset(request: ResetEpisode.Request, response: ResetEpisode.Response) -> ResetEpisode.Response:
        if not node.active:
            response.message = f"{node.get_name()} is not active: bring the graph up first (`world2act up sim`)"
            return response
        try:
            episode, stamp_ns = begin(episode_request(request))
        except (EpisodeError, ValueError, KeyError) as error:
            response.message = f"nothing was changed: {error}"
            return response
        return reset_answer(response, episode, world, stamp_ns)

    service = node.create_service(ResetEpisode, topics.RESET_EPISODE, reset)
    node.own(lambda: node.destroy_service(service))
