"""``python -m tenon.tb.formal [NAME...] [--bugs]``: proves the properties and prints a table."""

from __future__ import annotations

import sys

from tenon.tb.formal.checker import Verdict, check
from tenon.tb.formal.registry import PROPERTIES


def main(arguments: list[str]) -> int:
    bugs = "--bugs" in arguments
    names = [a for a in arguments if a != "--bugs"]
    unknown = [n for n in names if n not in PROPERTIES]
    if unknown:
        print(f"properties must be of {', '.join(PROPERTIES)}, not {unknown[0]}", file=sys.stderr)
        return 2
    good = True
    for name in names or PROPERTIES:
        prop = PROPERTIES[name]
        result = check(prop)
        said = f"{name:28} {prop.method:20} {result.seconds:6.1f} s  {result.verdict.value}"
        if result.label:
            said += f" {result.label} in cycle {result.cycle}"
        if result.missed:
            said += f", not reached: {', '.join(result.missed)}"
        good &= result.verdict is Verdict.PROVED and not result.missed
        if bugs:
            found = check(prop, bug=True)
            said += f"; bug: {found.verdict.value} {found.label} in cycle {found.cycle}, {found.seconds:.1f} s"
            good &= found.verdict is Verdict.FAILED
        print(said, flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
