"""What a configuration is as hardware: its clock and its area, for an FPGA and for a library of standard cells."""
