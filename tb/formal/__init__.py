"""Properties of the emitted RTL, proved by model checking: run ``python -m tenon.tb.formal``."""
