"""What the fields of a VECTOR instruction mean to the slots of its pipeline."""

from amaranth.hdl import Mux, Value
from amaranth.lib import data

from tenon.hw.binary32 import MINUS_INFINITY, MINUS_ZERO, ONE
from tenon.hw.lane import Lane

__all__ = ["SLOTS", "settings"]

SLOTS = {
    "fetch": data.StructLayout({"from_acc": 1, "from_par": 1, "signed": 1, "with_y": 1, "looks_up": 1}),
    **Lane.SLOTS,
    "write": data.StructLayout({"to_act": 1, "to_par": 1}),
}


def settings(fields: data.View, mnemonic) -> dict[str, dict[str, Value]]:
    """The settings of every slot; a form that a slot is to leave out becomes neutral constants."""

    def chosen(field: str, option: str) -> Value:
        return fields[field] == mnemonic.field(field).choices.index(option)

    one1 = chosen("f1", "bypass") | chosen("f1", "add")
    none1 = chosen("f1", "bypass") | chosen("f1", "mul")
    none2 = chosen("f2", "bypass") | chosen("f2", "mul")
    guesses = chosen("x_sel", "reciprocal"), chosen("x_sel", "root")
    numbers = chosen("x_sel", "par") | guesses[0] | guesses[1]
    return {
        "fetch": {"from_acc": chosen("x_sel", "acc"), "from_par": numbers, "signed": chosen("x_sel", "i8"),
                  "with_y": ~chosen("y_sel", "none"), "looks_up": fields["table"]},
        "convert": {"zero": fields["zx"]},
        "scale": {"by_lane": chosen("s_sel", "lanes"), "value": fields["s_value"]},
        "number": {"used": numbers, "reciprocal": guesses[0], "root": guesses[1]},
        "round": {"offset": fields["rc_off"]}, "round_bounds": {"low": fields["rc_lo"], "high": fields["rc_hi"]},
        "rounds": {"enable": fields["rc"]},
        "reduce": {"maximum": chosen("reduce", "max")},
        "convert_y": {"used": ~chosen("y_sel", "none"), "signed": chosen("y_sel", "i8"),
                      "zero": Mux(chosen("y_sel", "none"), 0, fields["zy"])},
        "select1": {"swap": fields["swap"], "times_y": chosen("f1", "mul"), "plus_y": chosen("f1", "add")},
        "constants1": {"p": Mux(one1, ONE, fields["f1_p"]), "q": Mux(none1, MINUS_ZERO, fields["f1_q"])},
        "select2": {"cross": chosen("f2", "cross"), "times_y": chosen("f2", "mul")},
        "constants2": {"p": Mux(chosen("f2", "bypass"), ONE, fields["f2_p"]),
                       "q": Mux(none2, MINUS_ZERO, fields["f2_q"])},
        "bound": {"with_y": chosen("mm", "maxy"), "p": Mux(chosen("mm", "bypass"), MINUS_INFINITY, fields["mm_p"])},
        "extreme": {"minimum": chosen("mm", "min")},
        "output": {"offset": fields["post"]}, "output_bounds": {"low": fields["lo"], "high": fields["hi"]},
        "table": {"enable": fields["table"], "number": fields["t"]},
        "write": {"to_act": chosen("d_sel", "act"), "to_par": chosen("d_sel", "par")},
    }
