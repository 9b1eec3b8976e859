"""Stage 1: one latent space for what the world model's video shows and what the arm did (World2Act, section 3)."""
