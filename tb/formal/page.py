"""The page of proofs: what is proved of which module, and what breaks it."""

from __future__ import annotations

from tenon.tb.formal.prop import Property
from tenon.tb.formal.registry import PROPERTIES

__all__ = ["proofs_page"]

_HEAD = """\
# Proofs

Simulation shows that the RTL did right; here is what it can not do wrong. Each property is proved of one module as it is
emitted, with every input free within what the table says is assumed.

```
make prove                                    # all of them, each with its planted bug; status 1 if one fails
python -m tenon.tb.formal                     # all of them
python -m tenon.tb.formal tokens-count --bugs # one, and its bug
```

Yosys makes a model of the module and of its specification (`tb/formal/*_properties.py`), ABC proves it: both come with the
wheel `pyosys`. Results are kept in `~/.cache/tenon` by the texts and the versions of the tools. Quick ones are part of `make
test`.

- *all times*: from reset on, in every cycle ever after. PDR finds an inductive invariant, which ABC checks once more; by
  induction, the assertions imply themselves over so many cycles, and hold in the first ones. *bounded*: in every run of so many
  cycles from reset.
- No initial values: registers hold anything before their reset, memories and registers without reset after it as well.
- A memory's word that is read while it is written gives the old value; queues never do that, which is proved too.
- Covers: with each proof, states that its text names must be reached, so that no assumption leaves nothing to prove, and no
  bound is too short to get there.
- Registers inside that a specification looks at must be there: one that is not is refused.
- Bugs: for each property one place of a generator is changed, and the property must then fail, with a counterexample. A change
  whose place is not there exactly once is refused.
- Sizes are small where a property does not depend on them; the column of assumptions says which. What is proved of a Fifo of
  four items of two bits is not proved of one of 64 items of 200 bits, except by the argument that the generator treats all
  alike.
- STOP ends every run, in steps of one module each: the register gives a pulse (`registers-act`), dispatch cuts, and ends the
  program as soon as the bus is quiet (`dispatch-ends`, `dispatch-verdict`), which a bus that takes and answers becomes
  (`guard-drains`, `guard-cut`), and then BUSY falls (`registers-act`). That modules are connected as these steps assume is
  seen in simulation alone.
"""


def _row(prop: Property) -> str:
    change = f"`{prop.bug.file}`: `{_plain(prop.bug.old)}` becomes `{_plain(prop.bug.new)}`"
    cells = (f"`{prop.name}`", type(prop.component()).__name__, prop.says, prop.given, prop.method, change)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    return " ".join(text.split())


def proofs_page() -> str:
    """Markdown."""
    rows = [_row(prop) for prop in PROPERTIES.values()]
    bounded = sum(prop.bound > 0 for prop in PROPERTIES.values())
    count = f"{len(rows)} properties: {len(rows) - bounded} for all times, {bounded} bounded.\n"
    return "\n".join([_HEAD, count, "| property | component | what holds | assumed, and sizes | method | the bug that it finds |",
                      "|---|---|---|---|---|---|", *rows, ""])
