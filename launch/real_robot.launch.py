"""The same graph without the simulator: ros2 launch world2act real_robot.launch.py bundle:=models/my-bundle

The arm's driver must provide camera/<name>/image_raw, joint_states, eef_pose and robot_contract, and take arm_command.
"""

from world2act.launch_description import generate


def generate_launch_description():
    return generate("real")
