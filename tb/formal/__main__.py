"""``python -m tenon.tb.formal [NAME...] [--bugs]``: proves properties, and prints a line for each, and how many there are."""

from __future__ import annotations

import sys

from tenon.tb.formal.checker import Result, Verdict, check
from tenon.tb.formal.prop import Property
from tenon.tb.formal.registry import PROPERTIES
from tenon.tb.toolchain import ToolError


def _line(prop: Property, result: Result, found: Result | None) -> str:
    said = f"{prop.name:22} {type(prop.component()).__name__:13} {prop.method:28} {result.seconds:6.1f} s  {result.verdict.value}"
    if result.label:
        said += f": {result.label}, in cycle {result.cycle}"
    if result.missed:
        said += f", not reached: {', '.join(result.missed)}"
    if found is not None:
        said += f"; its bug {'is found' if found.verdict is Verdict.FAILED else 'is NOT found'}"
        said += f" by {found.label} in cycle {found.cycle}, {found.seconds:.1f} s" if found.label else ""
    return said


def main(arguments: list[str]) -> int:
    """Status 1 if a property is not proved, a cover not reached, or a bug not found; 2 for what can not be begun."""
    bugs = "--bugs" in arguments
    names = [a for a in arguments if a != "--bugs"] or list(PROPERTIES)
    for name in names:
        if name not in PROPERTIES:
            print(f"a property must be of {', '.join(PROPERTIES)}, not {name!r}", file=sys.stderr)
            return 2
    proved = missing = 0
    for name in names:
        prop = PROPERTIES[name]
        try:
            result, found = check(prop), check(prop, bug=True) if bugs else None
        except ToolError as error:
            print(error, file=sys.stderr)
            return 2
        proved += result.verdict is Verdict.PROVED and not result.missed
        missing += found is not None and found.verdict is not Verdict.FAILED
        print(_line(prop, result, found), flush=True)
    print(f"{proved} of {len(names)} properties proved" + (f", {len(names) - missing} of {len(names)} bugs found" if bugs else ""))
    return 0 if proved == len(names) and not missing else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
