"""How long a program takes, event by event, compiled: quick enough to time every mapping that is looked at."""

from tenon.compiler.timing.native import available
from tenon.compiler.timing.timed import Timed, time_program

__all__ = ["Timed", "available", "time_program"]
