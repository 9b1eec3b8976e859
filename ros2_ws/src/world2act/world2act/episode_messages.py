"""An episode of the simulated world in messages: what a reset asks for, its answer, and how far the episode is."""

from __future__ import annotations

from world2act.conversions import ns_to_stamp
from world2act.episode import Episode, EpisodeRequest
from world2act_interfaces.msg import EpisodeStatus
from world2act_interfaces.srv import ResetEpisode
from world2act_sim.world import TabletopWorld


def episode_request(request: ResetEpisode.Request) -> EpisodeRequest:
    """What a reset asks for."""
    return EpisodeRequest(
        int(request.seed), request.instruction, request.task_kind, request.split or "seen", tuple(request.objects)
    )


def reset_answer(
    response: ResetEpisode.Response, episode: Episode, world: TabletopWorld, stamp_ns: int
) -> ResetEpisode.Response:
    """What was set up, at `stamp_ns`."""
    task = episode.task
    response.ok = True
    response.instruction = task.instruction
    response.skill_prompts = [skill.prompt for skill in task.skills]
    response.objects = sorted(world.object_positions())
    response.sim_time = ns_to_stamp(stamp_ns)
    return response


def status_message(episode: Episode, stamp_ns: int) -> EpisodeStatus:
    """How far the episode is."""
    message = EpisodeStatus(
        seed=episode.request.seed, split=episode.request.split, instruction=episode.task.instruction,
        skill_prompts=[skill.prompt for skill in episode.task.skills], skill_success=episode.skill_success,
        success=episode.success, step_count=episode.step_count, done=episode.success,
    )  # fmt: skip
    message.header.stamp = ns_to_stamp(stamp_ns)
    return message
