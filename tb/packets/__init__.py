"""Simulation of packet machines: effects become C++, which a loop over packets calls."""
