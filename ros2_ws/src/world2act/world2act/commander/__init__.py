"""Parts of the arm_commander that drives a real arm: what it listens to, why it holds, what it reports."""
