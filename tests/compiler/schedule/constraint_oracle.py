"""The least peak by constraint programming, an engine that shares nothing with ours."""

from __future__ import annotations

from ortools.sat.python import cp_model

from tenon.compiler.schedule import Problem

__all__ = ["least_peak_by_constraints"]


def least_peak_by_constraints(problem: Problem, *, seconds: float = 60.0) -> int | None:
    """The optimum that CP-SAT proves with one thread, or None if it runs out of time. No in-place operators.

    One Boolean for each operator and each count of steps: it is executed by then. A tensor must be live during a step if
    a writer is executed by its end, and some reader is not executed by its beginning.
    """
    assert not any(op.in_place for op in problem.operators)
    n = len(problem.operators)
    model = cp_model.CpModel()
    done = [[model.new_bool_var(f"{op.name} by {k}") for k in range(n + 1)] for op in problem.operators]
    for v in range(n):
        model.add(done[v][0] == 0)
        model.add(done[v][n] == 1)
        for k in range(n):
            model.add_implication(done[v][k], done[v][k + 1])
            for u in problem.predecessors[v]:
                model.add_implication(done[v][k + 1], done[u][k])
    for k in range(n + 1):
        model.add(sum(by[k] for by in done) == k)
    peak = model.new_int_var(0, sum(problem.sizes.values()), "peak")
    for k in range(n):
        demand = []
        for tensor in (*problem.inputs, *problem.writers):
            live = model.new_bool_var(f"{tensor} in {k}")
            begun = [done[w][k + 1] for w in problem.writers.get(tensor, ())] or [True]
            pending = [~done[r][k] for r in problem.readers.get(tensor, problem.writers.get(tensor, ()))]
            for a in begun:
                for b in [True] if tensor in problem.outputs else pending:
                    model.add(live == 1).only_enforce_if(a, b)
            demand.append(problem.sizes[tensor] * live)
        model.add(sum(demand) <= peak)
    model.minimize(peak)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = seconds
    return round(solver.objective_value) if solver.solve(model) == cp_model.OPTIMAL else None
