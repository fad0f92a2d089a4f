"""Flash: the code, the scrambler, and the sequencer of each bus."""
