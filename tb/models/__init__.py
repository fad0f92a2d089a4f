"""Models that the hardware is judged by."""
