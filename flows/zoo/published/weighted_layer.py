"""A layer with weights: its nodes in a network that measures what scales they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import onnx
from onnx import helper

__all__ = ["WeightedLayer"]

_CENTRED = 16  # elements of a channel from which its mean on the probe's samples is more than chance


@dataclass(frozen=True)
class WeightedLayer:
    """A layer with weights: what it computes from ``x``, before its nodes are written.

    ``weight`` is empty for a batch normalisation that stands alone. ``axis``: of the result's channels. ``normalised``: a batch
    normalisation is folded into it. ``gain``: standard deviation of its results. ``samples``: elements of one channel.
    """

    name: str
    op: str
    x: str
    weight: tuple[int, ...]
    channels: int
    axis: int
    rank: int
    bias: bool
    normalised: bool
    gain: float
    samples: int
    attributes: Mapping[str, object] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """As the literature counts them: a folded normalisation has a scale and a shift for each channel."""
        return prod(self.weight) * bool(self.weight) + self.channels * (self.bias + 2 * self.normalised)

    @property
    def centred(self) -> bool:
        """Whether means of channels are taken off, as batch normalisation does in training."""
        return self.samples >= _CENTRED

    @property
    def channel_shape(self) -> tuple[int, ...]:
        """Of one number for each channel, broadcast against the result."""
        return (self.channels, *(1,) * (self.rank - 1 - self.axis))

    def probing(self) -> list[onnx.NodeProto]:
        """Nodes of the layer without bias, its results normalised, scaled and shifted, as ``FloatNetwork.probe`` wants them."""
        at, nodes = self.name, []

        def node(op: str, inputs: list[str], result: str, **attributes) -> str:
            nodes.append(helper.make_node(op, inputs, [f"{at}{result}"], **attributes))
            return f"{at}{result}"

        raw = node(self.op, [self.x, f"{at}.weight"], ".raw", **self.attributes) if self.weight else self.x
        everywhere = node("Constant", [], ".everywhere", value_ints=list(range(self.rank)))
        power = node("ReduceMean", [node("Mul", [raw, raw], ".square"), everywhere], ".total")
        if self.centred:
            # Half the channel's own variance, so that channels without any are not blown up, half that of all channels.
            channel = node("Constant", [], ".channel", value_ints=[a for a in range(self.rank) if a != self.axis])
            raw = node("Sub", [raw, node("ReduceMean", [raw, channel], ".mean")], ".centred")
            own = node("ReduceMean", [node("Mul", [raw, raw], ".centred_square"), channel], ".own")
            mean = node("ReduceMean", [own, everywhere], ".average")
            power = node("Mul", [node("Add", [own, mean], ".sum"), node("Constant", [], ".half", value_float=0.5)], ".power")
        else:
            power = node("Identity", [power], ".power")
        unit = node("Div", [raw, node("Sqrt", [power], ".deviation")], ".unit")
        node("Add", [node("Mul", [unit, f"{at}.scale"], ".scaled"), f"{at}.shift"], "")
        return nodes
