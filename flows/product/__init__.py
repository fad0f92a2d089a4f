"""What surrounds the Verilog of an accelerator: constraints, and descriptions for the tools that put systems together."""
