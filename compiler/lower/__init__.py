"""Lowering: one layer and its mapping become instructions."""
