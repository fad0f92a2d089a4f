"""Amaranth generators: parameters, components, the accelerator, presets."""
