"""The page of parameters and presets."""

from __future__ import annotations

from tenon.flows.generate import CLOCK_MHZ
from tenon.hw.config import MHZ_RANGE
from tenon.hw.params import SystolicParams
from tenon.hw.presets import PRESETS

__all__ = ["configuration_page"]

_EXAMPLE = SystolicParams(name="narrow", rows=16, cols=8, lanes=8, bus_bits=64, activation_bytes=32768)


def _toml(params: SystolicParams) -> list[str]:
    default = SystolicParams()
    chosen = {k: v for k, v in params.to_dict().items() if v != getattr(default, k)}
    return [f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in chosen.items()]


def configuration_page() -> str:
    """The page in Markdown."""
    defaults = SystolicParams()
    return "\n".join([
        "# Configuration", "",
        "Written by `python -m tenon.flows.pages`; do not edit. Wherever a command takes a CONFIG, it takes a preset's name or a TOML file "
        "with any of these parameters; what is not given has the default. A value outside its range, values that do not fit each other, "
        "and unknown keys are refused with the reason.", "",
        "| parameter | default | accepted | meaning |", "|---|---|---|---|",
        *(f"| `{name}` | {getattr(defaults, name)} | {domain} | {domain.doc} |" for name, domain in SystolicParams.domains().items()), "",
        "`lanes` follows `cols` unless given; `name` is an identifier that reports show. For example, `narrow.toml`:", "",
        "```toml", *_toml(_EXAMPLE), "```", "",
        "```", "tenon generate narrow.toml -o build/narrow", "```", "",
        "## Clock", "",
        f"`clock_mhz`, a number in {MHZ_RANGE[0]}..{MHZ_RANGE[1]}, may stand in the file beside the parameters: how fast the hardware is "
        "to be clocked. It is none of them: Verilog, covenant and programs are the same whatever it is. It is what `tenon run` turns "
        "cycles into time with (`time_us` of `--json` and of `tenon report`, with `clock_mhz` and `clock_from`, which says where that is "
        "from), and what `tenon generate` constrains (`--clock-mhz` takes another; "
        f"{CLOCK_MHZ:g} MHz if nobody says). Without it, the clock is what `tenon generate --timing` last measured of the same hardware, "
        "of all modules or of the whole, which is kept in the cache; without that, there is no time. A program folder has no clock of its "
        "own: give `tenon run` the file by `--config`.", "",
        "## Presets", "",
        "| parameter | " + " | ".join(f"`{name}`" for name in PRESETS) + " |", "|---|" + "---|" * len(PRESETS),
        *("| `" + name + "` | " + " | ".join(str(getattr(p, name)) for p in PRESETS.values()) + " |" for name in SystolicParams.domains()),
        "",
    ])
