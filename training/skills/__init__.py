"""Skills: cut demonstrations where the gripper changes, give every clip its own sentence, write a skill dataset."""
