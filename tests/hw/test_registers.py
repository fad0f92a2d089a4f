"""The register map and its renderings."""

import re

import pytest

from tenon.hw.presets import preset
from tenon.hw.register_map import Access, Field, Register, RegisterMap, c_header, markdown
from tenon.hw.registers import COUNTERS, ENGINES, ErrorCode, registers


def _register(name, offset, *fields):
    return Register(name, offset, fields or (Field("VALUE", 0, 32, Access.RW, ""),))


@pytest.mark.parametrize("bad", [
    (_register("A", 0), _register("B", 2)), (_register("A", 4), _register("B", 4)),
    (_register("A", 0, Field("X", 0, 8, Access.RO, ""), Field("Y", 7, 1, Access.RO, "")),),
    (_register("A", 0, Field("X", 30, 3, Access.RO, "")),),
], ids=["misaligned", "registers overlap", "fields overlap", "too wide"])
def test_refused(bad):
    with pytest.raises(ValueError, match=r"^M\.(A|B)"):
        RegisterMap("M", bad)


def test_header_and_page_hold_every_register():
    regs = registers(preset("tiny"))
    header, page = c_header(regs, {"ROWS": 4}), markdown(regs)
    assert "#define TENON_ROWS 0x4u" in header
    for register in regs.registers:
        assert re.search(rf"#define TENON_{register.name} {register.offset:#06x}u", header)
        assert f"`{register.name}`" in page
    start = regs["CONTROL"].field("START")
    assert f"#define TENON_CONTROL_START_MASK {start.mask:#010x}u" in header
    assert regs["COUNTER"].count == len(COUNTERS) and regs["WAITING"].count == len(ENGINES)
    assert max(ErrorCode).value <= regs["STATUS"].field("ERROR").mask >> regs["STATUS"].field("ERROR").shift
