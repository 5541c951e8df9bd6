"""Losses, the three training stages, and one training loop."""
