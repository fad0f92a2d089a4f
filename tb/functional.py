"""The functional simulator: executes a program instruction after instruction, by what the covenant says each one does.

No hardware is known here: the effects, encodings and legality come with the mnemonics, the sizes with the memories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from tenon.acg.encoding import Header
from tenon.acg.graph import Graph
from tenon.acg.interpret import run as execute
from tenon.acg.mnemonic import EncodingError, Mnemonic

__all__ = ["FunctionalSimulator", "Instruction", "ProgramError", "decode_program"]


class ProgramError(RuntimeError):
    """An instruction that hardware refuses, or that leaves a DRAM segment; the message says which, and why."""

    def __init__(self, index: int, reason: str):
        super().__init__(f"instruction {index}: {reason}")
        self.index = index


@dataclass(frozen=True)
class Instruction:
    """One decoded instruction; ``fields`` are complete."""

    mnemonic: Mnemonic
    fields: Mapping[str, object]
    header: Header


def decode_program(image: bytes, graph: Graph) -> tuple[Instruction, ...]:
    """The instructions of a program image up to its END.

    Raises
    ------
    ProgramError
        For an instruction that cannot be decoded, and for a missing END.
    """
    decoded = []
    encoding = graph.sequencer.encoding
    for index in range(len(image) // encoding.bytes):
        place = index * encoding.bytes
        try:
            mnemonic, fields, header = encoding.decode(image[place:place + encoding.bytes], graph.mnemonics)
        except EncodingError as error:
            raise ProgramError(index, str(error)) from None
        if mnemonic is None:
            return tuple(decoded)
        decoded.append(Instruction(mnemonic, fields, header))
    raise ProgramError(len(decoded), "the program has no END")


class FunctionalSimulator:
    """On-chip memories that keep their contents from run to run, as hardware's do.

    Parameters
    ----------
    memory_bytes : mapping of str to int
        Size of each on-chip memory.

    Attributes
    ----------
    memories : dict of str to ndarray of uint8
        Their contents, zero at first.
    """

    def __init__(self, memory_bytes: Mapping[str, int]):
        self.memory_bytes = dict(memory_bytes)
        self.memories = {name: np.zeros(size, np.uint8) for name, size in memory_bytes.items()}

    def run(self, program: Sequence[Instruction], segments: Mapping[str, np.ndarray],
            trace: Callable[[int, Instruction], None] | None = None) -> None:
        """Executes ``program`` over DRAM ``segments`` (name in effects to array of uint8, written in place).

        ``trace`` is called after each instruction. Segments may be views of one image; a program is the same
        whether they are or not, as long as it stays inside them.

        Raises
        ------
        ProgramError
            For an illegal instruction, before it does anything.
        """
        memories = {**self.memories, **segments}
        # An instruction's products are small: threads of the BLAS spend more time on waiting for each other than on them.
        with threadpool_limits(1, user_api="blas"):
            for index, instruction in enumerate(program):
                self._step(index, instruction, memories)
                if trace is not None:
                    trace(index, instruction)

    def _step(self, index: int, instruction: Instruction, memories: Mapping[str, np.ndarray]) -> None:
        mnemonic, fields = instruction.mnemonic, instruction.fields
        broken = mnemonic.violations(fields, self.memory_bytes)
        if broken:
            raise ProgramError(index, "; ".join(broken))
        try:
            execute(mnemonic.effect, fields, memories)
        except IndexError as error:
            raise ProgramError(index, f"{mnemonic.name}: {error}") from None
