"""Holds what a covenant promises against RTL simulation of the configuration."""
