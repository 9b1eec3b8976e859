"""A recorder beside a graph that runs: ros2 launch world2act record.launch.py bundle:=models/my-bundle robot:=fr3"""

from world2act.launch_description import generate_record


def generate_launch_description():
    return generate_record()
