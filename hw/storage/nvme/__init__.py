"""What NVMe puts on the wire: entries, commands, statuses, data structures, each declared once."""
