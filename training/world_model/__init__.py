"""The world model: packed camera frames and a sentence in, video latents out."""
