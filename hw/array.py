"""The systolic array: weight-stationary, weights double-buffered in the cells, which take them from above or from the left."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.delay import delay, remembered

__all__ = ["OPERAND_BITS", "SystolicArray", "SystolicRow"]

OPERAND_BITS = 9  # an 8-bit operand of either signedness, less its zero-point


class SystolicRow(wiring.Component):
    """One row of cells: each multiplies its stationary weight and adds the partial sum from above.

    Activations, ``swap`` and ``shift`` enter at the left and move one cell per cycle; sums and weights leave below, a cycle
    later. With ``product_register`` sums from above are those of the cycle after. ``shift`` takes the weight from above into the
    shadow, ``swap`` makes the shadow the weight of the next cycle.

    Members
    -------
    x, swap, shift : In(signed(9)), In(1), In(1)
    w, sums : In(9 * cols), In(32 * cols)
        From above: weights and partial sums, packed by column.
    o_w, o_sums : Out(9 * cols), Out(32 * cols)
    across, left : In(cols), In(9)
        If ``transposable``: cells that take the weight of their left neighbour into the shadow, the first one ``left``.
    o_across : Out(cols)
        ``across`` for the row below, a cycle later.
    """

    def __init__(self, cols: int, transposable: bool, *, product_register: bool = False):
        self.cols, self.transposable, self.product_register = cols, transposable, product_register
        sideways = {"across": In(cols), "left": In(OPERAND_BITS), "o_across": Out(cols)} if transposable else {}
        super().__init__({
            "x": In(signed(OPERAND_BITS)), "swap": In(1), "shift": In(1), "w": In(OPERAND_BITS * cols),
            "sums": In(32 * cols), "o_w": Out(OPERAND_BITS * cols), "o_sums": Out(32 * cols), **sideways,
        })

    def elaborate(self, platform):
        m = Module()
        # Both signals' ways along the row, in a register each: bit c is what cell c sees.
        swaps, shifts = (Signal(self.cols - 1, name=f"{n}s", reset_less=True) for n in ("swap", "shift"))
        swap, shift = Cat(self.swap, swaps), Cat(self.shift, shifts)
        m.d.sync += [swaps.eq(swap), shifts.eq(shift)]
        x, left = self.x, None
        if self.transposable:
            across = Signal(self.cols, reset_less=True)
            m.d.sync += across.eq(self.across)
            m.d.comb += self.o_across.eq(across)
            left = self.left
        for c in range(self.cols):
            shadow = Signal(OPERAND_BITS, name=f"shadow{c}", reset_less=True)
            weight = Signal(signed(OPERAND_BITS), name=f"weight{c}", reset_less=True)
            total = Signal(signed(32), name=f"total{c}", reset_less=True)
            with m.If(shift[c]):
                m.d.sync += shadow.eq(self.w.word_select(c, OPERAND_BITS))
            if self.transposable:
                with m.If(self.across[c]):
                    m.d.sync += shadow.eq(left)
                left = shadow
            with m.If(swap[c]):
                m.d.sync += weight.eq(shadow)
            product = x * weight
            if self.product_register:
                product = Signal(signed(2 * OPERAND_BITS), name=f"product{c}", reset_less=True)
                m.d.sync += product.eq(x * weight)
            m.d.sync += total.eq(self.sums.word_select(c, 32).as_signed() + product)
            m.d.comb += [self.o_w.word_select(c, OPERAND_BITS).eq(shadow), self.o_sums.word_select(c, 32).eq(total)]
            if c < self.cols - 1:
                x_next = Signal(signed(OPERAND_BITS), name=f"x{c + 1}", reset_less=True)
                m.d.sync += x_next.eq(x)
                x = x_next
        return m


class SystolicArray(wiring.Component):
    """``rows x cols`` cells with their skew: whole vectors in, whole vectors of sums out, one per cycle.

    ``o_sums`` follows ``x`` by ``latency`` cycles: ``o[c] = sum over r of x[r] * weight[r][c]``. A ``product_register`` in each
    cell parts its multiplier from its adder: all sums are one cycle later, as all rows' are.

    A tile of weights takes ``rows`` cycles, the last row first (``load`` with ``beat`` counting up); or, ``transposed``,
    ``cols`` cycles, the last column first. It may begin in the cycle of the former tile's ``swap``, of either kind; its
    own ``swap`` comes after its last beat and one cycle before the first vector that it multiplies.

    Members
    -------
    x : In(9 * rows)
        A vector of activations, packed by row; ignored by whoever does not read the sums.
    swap : In(1)
    load, beat, w : In(1), In(range(max(rows, cols))), In(9 * cols)
        One row of weights.
    transposed : In(1)
        If ``transposable``: ``w`` is one column of weights, ``rows`` of them.
    now : In(range(max(rows, cols)))
        Counts cycles, modulo a power of two: where operands wait for their row or column, and sums for the last column's.
    o_sums : Out(32 * cols)
    """

    @staticmethod
    def transposable(rows: int, cols: int) -> bool:
        """Whether weights can enter by columns: one has room where a row has."""
        return rows <= cols

    @staticmethod
    def latency(rows: int, cols: int, *, product_register: bool = False) -> int:
        """Cycles from a vector at ``x`` to its sums at ``o_sums``."""
        return rows + cols - 1 + product_register

    def __init__(self, rows: int, cols: int, *, product_register: bool = False):
        self.rows, self.cols, self.product_register = rows, cols, product_register
        sideways = {"transposed": In(1)} if self.transposable(rows, cols) else {}
        super().__init__({
            "x": In(OPERAND_BITS * rows), "swap": In(1), "load": In(1), "beat": In(range(max(rows, cols))),
            "w": In(OPERAND_BITS * cols), "now": In(range(max(rows, cols))), "o_sums": Out(32 * cols), **sideways,
        })

    def elaborate(self, platform):
        m = Module()
        rows, cols, bits = self.rows, self.cols, OPERAND_BITS

        def late(name: str, item: Value, cycles: int) -> Value:
            return remembered(m, name, item, cycles, self.now) if cycles > 1 else delay(m, item, cycles)

        x = [late(f"x{r}", self.x.word_select(r, bits), r) for r in range(rows)]
        swaps = Signal(rows - 1, reset_less=True)  # one row later for each row down
        swap = Cat(self.swap, swaps)
        m.d.sync += swaps.eq(swap)
        w = [late(f"w{c}", self.w.word_select(c, bits), c) for c in range(cols)]
        weights, sums = Signal(bits * cols, name="w_row0"), Signal(32 * cols, name="sums_row0")
        m.d.comb += weights.eq(Cat(w))
        down, left, across = self.load, [], None
        if self.transposable(rows, cols):
            # What goes down and what goes right, for rows here and columns there.
            down = self.load & ~self.transposed
            right = self.load & self.transposed
            across = Signal(cols, name="across_row0")
            m.d.comb += across.eq(Cat(right & (self.beat >= c) if c else right for c in range(cols)))
            left = w[:rows]
        for r in range(rows):
            row = emit.instance(m, f"row{r}", SystolicRow(cols, across is not None, product_register=self.product_register))
            shift = Signal(name=f"shift{r}")
            m.d.comb += [
                shift.eq(down & (self.beat >= r) if r else down), row.shift.eq(shift), row.x.eq(x[r]),
                row.swap.eq(swap[r]), row.w.eq(weights), row.sums.eq(sums),
            ]
            weights, sums = row.o_w, row.o_sums
            if across is not None:
                m.d.comb += [row.across.eq(across), row.left.eq(left[r])]
                across = row.o_across
        m.d.comb += self.o_sums.eq(Cat(late(f"sums{c}", sums.word_select(c, 32), cols - 1 - c) for c in range(cols)))
        return m
