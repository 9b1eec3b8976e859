"""What `world2act doctor --robot NAME` checks: a live graph against the robot's profile."""
