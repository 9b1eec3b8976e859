"""How smoothly chunks move the arm: the same episodes with and without blending, timing emulated."""
