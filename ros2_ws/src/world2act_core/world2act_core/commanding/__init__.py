"""From chunks to joint commands: motion, inverse kinematics and safety filter joined for one arm."""
