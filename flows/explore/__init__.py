"""Explores hardware: which parameters give a network how many cycles, on how much area, and what of that is worth building."""
