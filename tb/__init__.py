"""Benches, bus and memory models, simulators, and the runner that starts them."""
