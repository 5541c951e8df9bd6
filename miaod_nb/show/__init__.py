"""Figures: arrays and tables in, Axes out."""
