"""A system in which firmware on a RISC-V core drives the accelerator, simulated in RTL."""

from tenon.tb.soc.cross import CrossError, compile_firmware
from tenon.tb.soc.system import SocResult, build_soc, run_soc

__all__ = ["CrossError", "SocResult", "build_soc", "compile_firmware", "run_soc"]
