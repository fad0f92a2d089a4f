"""Order, rewriting and placement of irregular networks for the least peak of live activations."""

from tenon.compiler.schedule.exact import Schedule, schedule
from tenon.compiler.schedule.problem import Moment, Operator, Problem

__all__ = ["Moment", "Operator", "Problem", "Schedule", "schedule"]
