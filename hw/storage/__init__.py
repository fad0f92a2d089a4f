"""The drive: an NVMe front end, flash and the accelerator between them. Nothing outside this folder's users imports it."""
