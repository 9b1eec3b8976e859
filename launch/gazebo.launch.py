"""The graph of a real arm, with Gazebo as the arm: ros2 launch world2act gazebo.launch.py robot:=fr3
robot_description:=fr3.urdf tool_link:=fr3_hand_tcp
"""

from pathlib import Path

from world2act.gazebo_launch import generate


def generate_launch_description():
    return generate(Path(__file__).parent)
