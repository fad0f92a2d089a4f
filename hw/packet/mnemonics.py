"""The instructions of the packet family: fields in the order of their bits, effect, rules and timing.

A vector register has four bytes a lane: a 32-bit number of each, or four planes of bytes, plane j's byte of lane l at ``lanes * j + l``.
So a plane is consecutive bytes of memory, and a register four of them.
"""

from __future__ import annotations

from tenon.acg.expr import Aff, Choose, Expr, Load, Lookup, Loop, Nest, Op, Operand, Reduce, Val, field
from tenon.acg.field import Field, address, integer, option
from tenon.acg.mnemonic import Mnemonic, Timing
from tenon.hw.packet.params import VectorParams

__all__ = ["GRANULE", "instructions"]

#: Bytes that addresses of the scratchpad count, and of a scalar register.
GRANULE = 16

#: Packets after which a result is seen.
_LOADED, _STORED, _DOT, _BYTES, _FLOAT, _ROUNDED = 3, 1, 4, 1, 6, 3
_BYTE = (-128, 255)


def _at(memory: str, element: str, unit: int, base: str, inner: Aff | Loop | int = 0) -> Load:
    """``unit`` times field ``base`` bytes, and ``inner`` more."""
    return Load(Operand(memory, element, (1,)), (unit * field(base) + inner,))


def _either(name: str, memory: str, unit: int, base: str, inner: Aff | Loop | int = 0) -> tuple[Load, Load]:
    return tuple(_at(memory, element, unit, base, inner) for element in ("u8", "i8"))


def instructions(p: VectorParams) -> tuple[Mnemonic, ...]:
    """All of them but transfers from and to DRAM."""
    return (*_loads(p), *_stores(p), *_products(p), *_floats(p))


def _copy(name: str, opcode: int, unit: str, size: int, target: Load, source: Load, fields: tuple[Field, ...], visible: int,
          rules: tuple[str, ...] = ()) -> Mnemonic:
    return Mnemonic(name, opcode, unit, fields, Nest((Loop("b", size),), target, source), Timing(visible=str(visible)), rules)


def _loads(p: VectorParams) -> tuple[Mnemonic, ...]:
    b, size = Loop("b", 0), 4 * p.lanes
    last = p.spm_bytes // GRANULE - 1
    vector = (f"a % {p.lanes // GRANULE} == 0",) if p.lanes > GRANULE else ()

    def load(name: str, opcode: int, memory: str, count: int, width: int, rules: tuple[str, ...] = ()) -> Mnemonic:
        fields = integer("d", 0, count - 1), address("a", last)
        return _copy(name, opcode, "LD", width, _at(memory, "u8", width, "d", b), _at("SPM", "u8", GRANULE, "a", b), fields, _LOADED, rules)

    return (load("VLD", 1, "VR", p.registers, size, vector), load("SLD", 2, "SR", p.quads, 16), load("FLD", 3, "SF", 4, 16),
            load("ZLD", 4, "ZP", 1, 16), load("TLD", 5, "TAB", 16 * p.tables, 16))


def _stores(p: VectorParams) -> tuple[Mnemonic, ...]:
    b, last = Loop("b", 0), p.spm_bytes // GRANULE - 1
    vector = (f"a % {p.lanes // GRANULE} == 0",) if p.lanes > GRANULE else ()

    def store(name: str, opcode: int, parts: int) -> Mnemonic:
        width = 4 * p.lanes // parts
        fields = integer("s", 0, parts * p.registers - 1), address("a", last)
        return _copy(name, opcode, "ST", width, _at("SPM", "u8", GRANULE, "a", b), _at("VR", "u8", width, "s", b), fields, _STORED, vector)

    return store("VST", 1, 1), store("PST", 2, 4)


def _products(p: VectorParams) -> tuple[Mnemonic, ...]:
    l, j, size = Loop("l", p.lanes), Loop("j", 4), 4 * p.lanes
    last = p.registers - 1
    sums, start = _at("VR", "i32", size, "d", 4 * l), _at("VR", "i32", size, "c", 4 * l)
    signs = option("xs", "u8", "i8"), option("ws", "u8", "i8")

    def centred(sign: str, values: tuple[Load, Load], zero: str) -> Expr:
        return Choose(sign, tuple(Op("sub", pair) for pair in zip(values, _either(sign, "ZP", 1, zero))))

    weights = centred("ws", _either("ws", "VR", size, "w", p.lanes * j + l), "zw")

    def dot(name: str, opcode: int, values: tuple[Load, Load], x: Field) -> Mnemonic:
        product = Reduce("add", (j,), Op("mul", (centred("xs", values, "zx"), weights)))
        fields = (integer("d", 0, last), integer("c", 0, last), integer("w", 0, last), x, *signs, integer("zx", 0, 3), integer("zw", 0, 3))
        return Mnemonic(name, opcode, "DOT", fields, Nest((l,), sums, Op("add", (start, product))), Timing(visible=str(_DOT)))

    b = Loop("b", size)

    def extreme(name: str, opcode: int, op: str) -> Mnemonic:
        x, y, d = (_either("xs", "VR", size, base, b) for base in ("x", "y", "d"))
        effect = Nest((b,), Choose("xs", d), Choose("xs", tuple(Op(op, pair) for pair in zip(x, y))))
        fields = integer("d", 0, last), integer("x", 0, last), integer("y", 0, last), signs[0]
        return Mnemonic(name, opcode, "DOT", fields, effect, Timing(visible=str(_BYTES)))

    return (dot("VDOT4", 1, _either("xs", "SR", 4, "q", j), integer("q", 0, 4 * p.quads - 1)),
            dot("VDOTV", 2, _either("xs", "VR", size, "x", p.lanes * j + l), integer("x", 0, last)),
            extreme("VMAXB", 3, "max"), extreme("VMINB", 4, "min"))


def _floats(p: VectorParams) -> tuple[Mnemonic, ...]:
    l, size, last = Loop("l", p.lanes), 4 * p.lanes, p.registers - 1
    parts = p.lanes // p.float_lanes
    number, planes = integer("x", 0, last), 4 * p.registers - 1
    x, d = _at("VR", "f32", size, "x", 4 * l), _at("VR", "f32", size, "d", 4 * l)
    byte = _at("VR", "u8", p.lanes, "d", l)

    def timed(cycles: int) -> Timing:
        return Timing(occupancy=str(parts), visible=str(cycles + parts - 1))

    def op(name: str, *args: Expr) -> Op:
        return Op(name, args)

    def operand(name: str) -> Expr:
        return Choose(f"{name}_sel", (_at("SF", "f32", 4, name), _at("VR", "f32", size, name, 4 * l)))

    source = Choose("x_sel", (op("f32", _at("VR", "i32", p.lanes, "x", 4 * l)), _at("VR", "f32", p.lanes, "x", 4 * l),
                              *(op("f32", _at("VR", element, p.lanes, "x", l)) for element in ("u8", "i8"))))
    rules = "x_sel >= 2 or x % 4 == 0", "p_sel + r_sel <= 1", "p_sel == 1 or p <= 15", "r_sel == 1 or r <= 15"  # two read ports
    fma = Mnemonic("VFMA", 1, "FLT", (
        integer("d", 0, last), option("x_sel", "i32", "f32", "u8", "i8"), integer("x", 0, planes), option("p_sel", "scalar", "lanes"),
        integer("p", 0, last), option("r_sel", "scalar", "lanes"), integer("r", 0, last),
    ), Nest((l,), d, op("fma", source, operand("p"), operand("r"))), timed(_FLOAT), rules)
    rounded = op("clamp", op("add", op("rne", x), Val(field("off"))), Val(field("lo")), Val(field("hi")))
    bounds = integer("off", *_BYTE), integer("lo", *_BYTE), integer("hi", *_BYTE)
    extreme = op("max", x, _at("VR", "f32", size, "y", 4 * l))
    seeds = Choose("kind", (op("guess_reciprocal", x), op("guess_root", x)))
    looked_up = Lookup(Operand("TAB", "u8", (1,)), 256 * field("t"), _at("VR", "u8", p.lanes, "x", l))
    to_byte, to_number = integer("d", 0, planes), integer("d", 0, last)

    def rounding(name: str, opcode: int, fields: tuple[Field, ...], target: Load, value: Expr) -> Mnemonic:
        return Mnemonic(name, opcode, "FLT", fields, Nest((l,), target, value), timed(_ROUNDED))

    return (
        fma,
        rounding("VRND", 2, (to_byte, number, *bounds), byte, op("u8", rounded)),
        rounding("VRNF", 3, (to_number, number, *bounds), d, op("f32", rounded)),
        rounding("VMAXF", 4, (to_number, number, integer("y", 0, last)), d, extreme),
        rounding("VSEED", 5, (to_number, number, option("kind", "reciprocal", "root")), d, seeds),
        rounding("VLUT", 6, (to_byte, integer("x", 0, planes), integer("t", 0, p.tables - 1)), byte, looked_up),
    )
