"""Tuning: all choices of a network at once, by what its whole program takes, with proposals that learn from what was measured."""

from tenon.compiler.tune.measure import Measure, Measured
from tenon.compiler.tune.space import NetworkSpace, Point
from tenon.compiler.tune.tuners import TUNERS, Tuner, make_tuner

__all__ = ["TUNERS", "Measure", "Measured", "NetworkSpace", "Point", "Tuner", "make_tuner"]
