"""What the project knows about an arm: profile, limits, kinematics."""
