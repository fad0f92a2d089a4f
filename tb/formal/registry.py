"""All properties, by name."""

from tenon.tb.formal import (
    axi_lite_properties,
    burst_properties,
    bus_properties,
    clock_properties,
    dispatch_properties,
    engine_queue_properties,
    guard_properties,
    legality_properties,
    map_properties,
    memory_properties,
    nest_properties,
    prp_properties,
    queue_properties,
    realign_properties,
    share_properties,
    slot_properties,
    token_properties,
)
from tenon.tb.formal.prop import Property

__all__ = ["PROPERTIES"]

_SUBJECTS = (token_properties, queue_properties, engine_queue_properties, burst_properties, axi_lite_properties, bus_properties,
             memory_properties, nest_properties, dispatch_properties, realign_properties, legality_properties, clock_properties,
             prp_properties, slot_properties, guard_properties, map_properties, share_properties)

PROPERTIES: dict[str, Property] = {prop.name: prop for subject in _SUBJECTS for prop in subject.PROPERTIES}
