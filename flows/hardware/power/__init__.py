"""Energy of a simulated run: toggles of all nets of the mapped hardware, times the energies of a library of standard cells."""
