"""VECTOR: streams words of accumulators, bytes or numbers through the binary32 lanes and writes bytes or numbers."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.decode import layout
from tenon.hw.delay import delay, remembered
from tenon.hw.encoding import INSTRUCTION_BITS
from tenon.hw.lane import Lane
from tenon.hw.memory import Memory
from tenon.hw.mnemonics import vector
from tenon.hw.nest import AddressNest
from tenon.hw.params import SystolicParams
from tenon.hw.reduction import Reduction
from tenon.hw.tokens import SIGNAL_AHEAD
from tenon.hw.vector_settings import SLOTS, settings

__all__ = ["VectorEngine"]

_LEVELS = ("o2", "o1", "o0", "q1", "q0", "i")
_WRITTEN = ("o2", "o1", "o0", "i")
_OPERANDS = {"x": _LEVELS, "y": _WRITTEN, "s": _LEVELS, "d": _WRITTEN}
_INTERLEAVED = 16  # words between two rounds of a reduction at most

_TO_LANES = 2  # cycles from an issue to the lanes' inputs: memory, operand register
_CYCLES = 64  # that are told apart: more than any delay


class VectorEngine(wiring.Component):
    """Executes VECTOR instructions: ``lanes`` elements issued per cycle, ``latency`` cycles from issue to write.

    Order is kept. A word of ``cols`` elements is read once and takes ``cols / lanes`` issues. What has been issued
    never stalls: an issue waits for its read grants, and in a reduction for the former round's partial results. The
    next instruction issues while its predecessor drains, each with settings of its own; a third waits until the first
    has left.

    Members
    -------
    i_valid, i_ready, i_instr : In(1), Out(1), In(1024)
        Taken in the cycle of the former one's last issue, or when idle.
    acc_en, acc_addr, acc_grant, acc_data : Out(1), Out, In(1), In(32 * cols)
        Read port of the accumulators; data the cycle after enable and grant.
    x_*, y_* : likewise, In(8 * cols)
        Read ports of the vector buffer. Granted together with each other, or nothing is issued.
    s_*, n_* : Out(1), Out, In(32 * cols)
        Private read ports of the parameters, always granted: scales, and numbers in place of x.
    v_en, v_addr, v_data, v_mask, v_grant : Out(1), Out, Out(8 * cols), Out(cols), In(1)
        Write port of the vector buffer. The grant must be 1: VECTOR comes first.
    act_* : likewise
        Write port of the activation buffer, in words of ``cols`` bytes.
    p_* : likewise, Out(32 * cols), Out(4 * cols)
        Write port of the parameters.
    v_next, act_next, p_next, next_addr : Out(1), Out(1), Out(1), Out
        ``v_en``, ``act_en`` and ``p_en`` of the next cycle; ``v_addr`` and ``act_addr``, whichever of them is enabled then.
    tab_en, tab_addr, tab_data, tab_mask : In
        Writes lines of the byte tables, for LOAD; always taken.
    o_release, o_done : Out(1)
        Pulses per instruction, in order: whoever is let in by them finds all operands read; all results written.
    o_busy, o_settles, o_stall_bank : Out(1)
        An instruction is not done; results are still to be written; an issue waits for a grant.
    """

    latency = _TO_LANES + Lane.latency
    round_cycles = Reduction.round_trip  # least distance between two rounds of a reduction

    def __init__(self, params: SystolicParams):
        self.params = params
        cols, line = params.cols, params.line_bytes

        def address(words):
            return Out(range(words))

        def read(name, words, bits):
            return {f"{name}_en": Out(1), f"{name}_addr": address(words), f"{name}_grant": In(1),
                    f"{name}_data": In(bits)}

        def write(name, words, size=1):
            return {f"{name}_en": Out(1), f"{name}_addr": address(words), f"{name}_data": Out(8 * size * cols),
                    f"{name}_mask": Out(size * cols), f"{name}_grant": In(1)}

        parameters = read("s", params.par_words, 32 * cols) | read("n", params.par_words, 32 * cols)
        del parameters["s_grant"], parameters["n_grant"]
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_instr": In(INSTRUCTION_BITS),
            **read("acc", params.acc_words, 32 * cols),
            **read("x", params.vec_words, 8 * cols), **read("y", params.vec_words, 8 * cols), **parameters,
            **write("v", params.vec_words), **write("act", params.activation_bytes // cols),
            **write("p", params.par_words, 4), "v_next": Out(1), "act_next": Out(1), "p_next": Out(1),
            "next_addr": address(max(params.vec_words, params.activation_bytes // cols)),
            "tab_en": In(1), "tab_addr": In(range(256 * params.tables // line)), "tab_data": In(8 * line),
            "tab_mask": In(line),
            "o_release": Out(1), "o_done": Out(1), "o_busy": Out(1), "o_settles": Out(1), "o_stall_bank": Out(1),
        })

    @staticmethod
    def mnemonic(params: SystolicParams):
        """This engine's part of the covenant."""
        return vector(params, latency=VectorEngine.latency - SIGNAL_AHEAD, round_cycles=VectorEngine.round_cycles,
                      partials=_INTERLEAVED)

    def elaborate(self, platform):
        m = Module()
        cols, lanes = self.params.cols, self.params.lanes
        subs = cols // lanes  # issues that a word takes
        mnemonic = self.mnemonic(self.params)
        f = data.View(layout(mnemonic), self.i_instr)

        fields = {field.name for field in mnemonic.fields}
        operands = {operand: [level for level in _LEVELS if f"{operand}_{level}" in fields] for operand in "xysd"}
        m.submodules.nest = nest = AddressNest(_LEVELS, operands, indices={"i": (_INTERLEAVED - 1).bit_length()}, widths={
            "x": max(len(self.acc_addr), len(self.x_addr), len(self.n_addr)), "y": len(self.y_addr), "s": len(self.s_addr),
            "d": max(len(self.v_addr), len(self.act_addr), len(self.p_addr))})
        m.d.comb += [getattr(nest, f"count_{level}").eq(f[f"n_{level}"]) for level in _LEVELS]
        for operand, moved_by in operands.items():
            m.d.comb += getattr(nest, f"base_{operand}").eq(f[operand])
            m.d.comb += [getattr(nest, f"stride_{operand}_{level}").eq(f[f"{operand}_{level}"]) for level in moved_by]

        # Settings, of two instructions: one keeps its place until its last write. ``tags`` go down the pipeline with the
        # elements and choose at every stage.
        take = Signal()
        tag = Signal()
        following = Signal()
        live = Signal(2)
        taken = {slot: Signal(shape, name=f"{slot}_taken") for slot, shape in SLOTS.items()}
        for slot, values in settings(f, mnemonic).items():
            m.d.comb += [taken[slot][name].eq(value) for name, value in values.items()]
        tags = Signal(self.latency, reset_less=True)
        m.d.sync += tags.eq(Cat(tag, tags))

        def setting(slot, cycle):
            """Settings of the element issued ``cycle`` cycles ago, from 1 on: out of a memory, since they have a long way to all lanes."""
            memory = emit.instance(m, f"{slot}_at_{cycle}", Memory(width=SLOTS[slot].size, depth=2))
            m.d.comb += [memory.w_en.eq(take), memory.w_addr.eq(following), memory.w_data.eq(taken[slot]),
                         memory.r_en.eq(1), memory.r_addr.eq(tags[cycle - 2] if cycle > 1 else tag)]
            return data.View(SLOTS[slot], memory.r_data)

        # Issue: the first sub-word of a word needs the grants; the others find their operands in registers.
        active = Signal()
        wanted = Signal()
        granted = Signal()
        issue = Signal()
        sub = Signal(range(max(subs, 2)))
        pause = Signal(range(self.round_cycles))
        paused = Signal()  # it is not 0
        spacing = Signal(range(self.round_cycles), init=self.round_cycles - 1)
        reads = Signal()
        word_ends = Signal()
        emits = Signal()
        ends = Signal()
        fetch = Signal(SLOTS["fetch"], reset_less=True)  # of the instruction that is issued
        with m.If(take):
            m.d.sync += fetch.eq(taken["fetch"])
        m.d.comb += [
            wanted.eq(active & ~paused),
            reads.eq(wanted & (sub == 0)),
            self.acc_en.eq(reads & fetch.from_acc), self.acc_addr.eq(nest.address_x),
            self.x_en.eq(reads & ~fetch.from_acc & ~fetch.from_par), self.x_addr.eq(nest.address_x),
            self.y_en.eq(reads & fetch.with_y), self.y_addr.eq(nest.address_y),
            granted.eq(Mux(fetch.from_acc, self.acc_grant, self.x_grant | fetch.from_par) & (self.y_grant | ~fetch.with_y)),
            issue.eq(wanted & (granted | (sub != 0))),
            self.o_stall_bank.eq(reads & ~granted),
            word_ends.eq(sub == subs - 1),
            emits.eq(nest.last_q1 & nest.last_q0),
            ends.eq(issue & word_ends & nest.last),
            nest.load.eq(take), nest.step.eq(issue & word_ends),
        ]
        with m.If(issue):
            m.d.sync += sub.eq(Mux(word_ends, 0, sub + 1))
            # The shorter a round, the longer the pause before the next, for partial results to be back in time.
            with m.If(word_ends & nest.last_i):
                m.d.sync += [spacing.eq(self.round_cycles - 1), pause.eq(spacing), paused.eq(~emits & (spacing != 0))]
            with m.Elif(spacing != 0):
                m.d.sync += spacing.eq(spacing - 1)
        with m.If(paused):
            m.d.sync += [pause.eq(pause - 1), paused.eq(pause != 1)]

        # Instructions: the next one's first issue follows the former's last without a pause.
        m.d.comb += [
            self.i_ready.eq((~active | ends) & ~live.bit_select(following, 1)),
            take.eq(self.i_valid & self.i_ready),
        ]
        with m.If(take):
            m.d.sync += [active.eq(1), tag.eq(following), following.eq(~following)]
        with m.Elif(ends):
            m.d.sync += active.eq(0)

        # What goes down the pipeline with an element.
        at = {name: _TO_LANES + cycle for name, cycle in Lane.at.items()}
        read_scale, read_number = at["scale"] - 1, at["number"] - 1
        index = nest.index_i if subs == 1 else Cat(sub, nest.index_i)
        valid = Signal(self.latency)
        now = Signal(range(max(_CYCLES, Lane.NOW)))
        m.d.sync += [valid.eq(Cat(issue, valid)), now.eq(now + 1)]
        opens = nest.first_q1 & nest.first_q0
        partial = remembered(m, "partials", Cat(opens, index), at["read_index"], now)
        first, read_index = partial[:1], partial[1:]
        write_index = remembered(m, "write_indices", read_index, at["write_index"] - at["read_index"], now)

        # Operands, and scales, which are read so late that they meet their elements.
        fetched, scaled, numbered = setting("fetch", 1), setting("scale", read_scale), setting("number", read_number)
        words = self.x_data, self.y_data, self.acc_data, self.s_data, self.n_data
        x_bytes, y_bytes, x_sums, scales, numbers = (
            [word.word_select(c, len(word) // cols) for c in range(cols)] for word in words)
        x_wide = [Mux(fetched.from_acc, whole, Cat(byte, (byte[7] & fetched.signed).replicate(24)))
                  for whole, byte in zip(x_sums, x_bytes)]
        arrives = delay(m, sub == 0, 1)
        x, y = self._sub_words(m, x_wide, arrives), self._sub_words(m, y_bytes, arrives)
        m.d.comb += [
            self.s_en.eq(valid[read_scale - 1] & scaled.by_lane),
            self.s_addr.eq(remembered(m, "scales", nest.address_s, read_scale, now)),
            self.n_en.eq(valid[read_number - 1] & numbered.used),
            self.n_addr.eq(remembered(m, "numbers", nest.address_x, read_number, now)),
        ]

        slots = {slot: setting(slot, at[slot]) for slot in Lane.SLOTS}
        results, results_wide = [], []

        turns = {slot: delay(m, sub, at[slot]) if subs > 1 else 0 for slot in ("scale", "number")}

        def part(words: list[Value], slot: str) -> Value:
            """Of a lane's elements in a word that is there with ``slot``, the one whose turn it is."""
            return Cat(words).word_select(turns[slot], 32)

        for number in range(lanes):
            lane = emit.instance(m, f"lane_{number}", Lane(
                partials=_INTERLEAVED * subs, table_bytes=256 * self.params.tables,
                line_bytes=self.params.line_bytes))
            m.d.comb += [
                lane.x.eq(x[number]), lane.y.eq(y[number]),
                lane.s.eq(part(scales[number::lanes], "scale")), lane.number.eq(part(numbers[number::lanes], "number")),
                lane.now.eq(now), lane.first.eq(first), lane.read_index.eq(read_index), lane.write_index.eq(write_index),
                lane.write.eq(valid[at["write"] - 1]),
                lane.tab_en.eq(self.tab_en), lane.tab_addr.eq(self.tab_addr), lane.tab_data.eq(self.tab_data),
                lane.tab_mask.eq(self.tab_mask),
            ]
            m.d.comb += [getattr(lane, f"slot_{slot}").eq(value) for slot, value in slots.items()]
            results.append(lane.o)
            results_wide.append(lane.word)

        # Writes.
        place = data.StructLayout({"sub": len(sub), "address": len(nest.address_d), "emits": 1, "ends": 1})

        def written(name, cycle):
            """Whether the element issued ``cycle`` cycles ago is one to be written, and where: from registers, as whoever else
            writes into the same memory waits for it. Its address is known a cycle before."""
            found = data.View(place, remembered(m, name, Cat(sub, nest.address_d, emits, ends), cycle - 1, now))
            now_written, settings = valid[cycle - 2] & found.emits, setting("write", cycle - 1)
            where = Signal(place, name=f"{name}_now", reset_less=True)
            m.d.sync += where.eq(found)
            return now_written, settings, where, found.address

        def registered(name, value):
            held = Signal(name=name)
            m.d.sync += held.eq(value)
            return held

        writes, write, where, next_address = written("places", self.latency)
        m.d.comb += self.next_addr.eq(next_address)
        for port, chosen in (("v", ~write.to_act & ~write.to_par), ("act", write.to_act)):
            will_write = getattr(self, f"{port}_next")
            m.d.comb += [
                will_write.eq(writes & chosen), getattr(self, f"{port}_en").eq(registered(f"{port}_writes", will_write)),
                getattr(self, f"{port}_addr").eq(where.address),
                getattr(self, f"{port}_data").eq(Cat(results * subs)),
                getattr(self, f"{port}_mask").eq(Cat((where.sub == k).replicate(lanes) for k in range(subs))),
            ]

        # Numbers are written as soon as they are there, before an element's byte would be.
        writes_number, wide, where_number, _ = written("number_places", at["word"])
        m.d.comb += [
            self.p_next.eq(writes_number & wide.to_par), self.p_en.eq(registered("p_writes", self.p_next)),
            self.p_addr.eq(where_number.address), self.p_data.eq(Cat(results_wide * subs)),
            self.p_mask.eq(Cat((where_number.sub == k).replicate(4 * lanes) for k in range(subs))),
        ]

        # Events, as long before the last read and the last write as a token is under way. Tables are read last of all: an
        # instruction that uses them releases its operands late, and so do those that come close behind it.
        last_write = registered("last_writes", writes) & where.ends
        late = Signal()
        late_releases = Signal(at["table"] + 1 - SIGNAL_AHEAD)
        held = Signal(range(3))
        m.d.comb += late.eq(fetch.looks_up | late_releases.any())
        m.d.sync += [
            late_releases.eq(Cat(ends & late, late_releases)),
            live.eq((live | Cat(take & ~following, take & following))
                    & ~Cat(last_write & ~tags[-1], last_write & tags[-1])),
            held.eq(held + take - self.o_done),
        ]
        finishes = self.latency - SIGNAL_AHEAD
        m.d.comb += [
            self.o_release.eq(late_releases[-1] | delay(m, ends & ~late, read_scale + 1 - SIGNAL_AHEAD, reset=True)),
            self.o_done.eq(valid[finishes - 1] & remembered(m, "ends", ends, finishes, now)),
            self.o_busy.eq(held != 0), self.o_settles.eq(live.any()),
        ]
        return m

    def _sub_words(self, m: Module, word: list[Value], arrives: Value) -> list[Signal]:
        """What the lanes take of ``word``, one sub-word after the other from the cycle in which it arrives."""
        lanes = self.params.lanes
        elements = [Signal(len(value), reset_less=True, name="element") for value in word]
        for place, element in enumerate(elements):
            waiting = elements[place + lanes] if place + lanes < len(elements) else 0
            m.d.sync += element.eq(Mux(arrives, word[place], waiting))
        return elements[:lanes]
