"""The generated header: standalone C and C++, and the numbers of the register map."""

import subprocess

import pytest

from tenon.hw.presets import preset
from tenon.hw.registers import COUNTERS, ENGINES, ErrorCode, registers
from tenon.tb.gateware import header_of
from tenon.tb.soc.cross import WARNINGS

CONFIGURATIONS = ("tiny", "edge16")


def compile_text(text, suffix, folder):
    """Compiles a translation unit alone, every warning an error."""
    source = folder / f"unit{suffix}"
    source.write_text(text)
    compiler, standard = ("gcc", "-std=c11") if suffix == ".c" else ("g++", "-std=c++11")
    done = subprocess.run([compiler, standard, *WARNINGS, "-ffreestanding", f"-I{folder}", "-c", source, "-o", "/dev/null"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("suffix", [".c", ".cpp"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_compiles_alone_and_says_what_the_registers_are(name, suffix, tmp_path):
    params = preset(name)
    (tmp_path / "tenon.h").write_text(header_of(params))
    claims = {f"TENON_ERROR_{code.name}": code.value for code in ErrorCode}
    claims |= {f"TENON_COUNTER_{counter}": index for index, counter in enumerate(COUNTERS)}
    claims |= {f"TENON_ENGINE_{engine}": index for index, engine in enumerate(ENGINES)}
    for register in registers(params).registers:
        claims[f"TENON_{register.name}"] = register.offset
        if register.count > 1:
            claims[f"TENON_{register.name}_COUNT"] = register.count
        for field in register.fields:
            if field.width < 32:
                claims[f"TENON_{register.name}_{field.name}_MASK"] = field.mask
                claims[f"TENON_{register.name}_{field.name}_SHIFT"] = field.shift
    assert claims["TENON_MARK_COUNT"] == params.markers and claims["TENON_SEGMENT_COUNT"] == 4
    word = "_Static_assert" if suffix == ".c" else "static_assert"
    lines = [f'{word}({macro} == {value}u, "{macro}");' for macro, value in claims.items()]
    compile_text("\n".join(['#include "tenon.h"', '#include "tenon.h"', *lines, ""]), suffix, tmp_path)


def test_defines_nothing_twice():
    names = [line.split()[1] for line in header_of(preset("tiny")).splitlines() if line.startswith("#define")]
    assert len(names) == len(set(names))
