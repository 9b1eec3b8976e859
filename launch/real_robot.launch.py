"""A real arm: ros2 launch world2act real_robot.launch.py robot:=fr3 bundle:=models/my-bundle

The arm's driver must run already; the robot profile (robots/*.yaml) says which topics it has and takes.
"""

from world2act.launch_description import generate


def generate_launch_description():
    return generate("real")
