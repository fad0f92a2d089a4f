"""The drive in simulation: its firmware, the host's memory, and a host that speaks NVMe."""
