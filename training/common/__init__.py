"""What every training step needs: checkpoints, progress, errors."""
