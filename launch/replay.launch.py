"""A recording through the policy again: ros2 launch world2act replay.launch.py file:=runs/today/episode-000000.mcap"""

from world2act.launch_description import generate_replay


def generate_launch_description():
    return generate_replay()
