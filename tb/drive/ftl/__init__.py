"""The firmware's flash translation layer, built into this process around a model of a drive."""
