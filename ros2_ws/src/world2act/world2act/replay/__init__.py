"""Recorded observations through a real vla_policy again, and its chunks compared with the recorded ones."""
