"""From instance to image uncertainty, and one protocol for every selection strategy."""
