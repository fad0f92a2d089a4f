"""Programs of packets: a statement over a scratchpad becomes a loop of packets that keeps registers, latencies and streams in order."""
