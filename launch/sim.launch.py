"""The whole graph against the simulated table: ros2 launch world2act sim.launch.py bundle:=models/tabletop-nano"""

from world2act.launch_description import generate


def generate_launch_description():
    return generate("sim")
