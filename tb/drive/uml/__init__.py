"""Stock Linux as the drive's host: User-Mode Linux, whose PCI bus and time are the simulation's."""

from tenon.tb.drive.uml.guest import GuestError, Transcript, run_linux
from tenon.tb.drive.uml.kernel import KernelError, kernel, missing

__all__ = ["GuestError", "KernelError", "Transcript", "kernel", "missing", "run_linux"]
