// Issues packets: reads at issue, results after as many packets as each instruction says.
enum { NONE, LOOP, CALL, BASE, LEVEL, START, WAIT, MARK, END };
struct Operation { int64_t mnemonic, fields; };                 // fields: where its values begin
struct Packet { int64_t first, count, control, a, b, c, d; };   // operations; the control slot
struct Stream {
    int64_t base = 0, address = 0, extent[8], stride[8], at[8];
    Stream() { for (int k = 0; k < 8; k++) { extent[k] = 1; stride[k] = 0; at[k] = 0; } }
    void begin(int64_t where) { base = address = where; for (int k = 0; k < 8; k++) at[k] = 0; }
    void step() {
        for (int k = 0; k < 8; k++) {
            if (++at[k] < extent[k]) { address += stride[k]; return; }
            address -= stride[k] * (extent[k] - 1);
            at[k] = 0;
        }
    }
};
struct Level { int64_t first, end, left, back; };  // packets of a body, rounds left, where to go on behind
struct Transfer { int64_t mnemonic, fields, end; };

// fields: of each value its number, and stream, step (-1: it is no address). transfers: per START, mnemonic, fields, unit, beats.
// Returns 0, or 1 + the packet that cannot be carried out.
extern "C" int64_t tenon_packets(const int64_t *packets, int64_t count, const int64_t *operations, const int64_t *values,
                                 const int64_t *starts, const int64_t *visible, uint8_t **memories, const int64_t *sizes,
                                 int64_t streams, int64_t late, int64_t latency, int64_t depth, int64_t most_cycles, int64_t *marks, int64_t *totals) {
    std::vector<Stream> stream((size_t)streams);
    std::vector<std::vector<Out>> due(64);
    std::vector<Level> levels;
    std::deque<Transfer> flying[4];
    std::vector<int> stepped;
    int64_t now = 0, held = 0, bus = 0, reached = 0, marked = 0, pc = 0, issued = 0;
    int64_t fields[64];
    auto run = [&](const Transfer &t) {
        Out out;
        for (int k = 0; k < 64; k++) fields[k] = 0;
        for (int64_t k = 0, n = values[t.fields]; k < n; k++) fields[k] = values[t.fields + 1 + 3 * k];
        EFFECTS[t.mnemonic](fields, memories, out);
        out.write(memories);
    };
    while (pc < count) {
        auto &ready = due[(size_t)(now & 63)];
        for (const Out &out : ready) out.write(memories);
        ready.clear();
        const Packet &packet = ((const Packet *)packets)[pc];
        stepped.clear();
        for (int64_t k = 0; k < packet.count; k++) {
            const Operation &op = ((const Operation *)operations)[packet.first + k];
            for (int64_t f = 0, n = values[op.fields]; f < n; f++) {
                const int64_t *v = values + op.fields + 1 + 3 * f;
                fields[f] = v[0];
                if (v[1] >= 0) {
                    fields[f] = stream[(size_t)v[1]].address + v[0];
                    if (fields[f] < 0 || fields[f] > sizes[2 * op.mnemonic + 1]) return 1 + pc;
                    if (v[2]) stepped.push_back((int)v[1]);
                }
            }
            due[(size_t)((now + visible[op.mnemonic]) & 63)].emplace_back();
            EFFECTS[op.mnemonic](fields, memories, due[(size_t)((now + visible[op.mnemonic]) & 63)].back());
            issued++;
        }
        for (int s : stepped) stream[(size_t)s].step();
        if (pc >= reached) { bus = std::max(bus, now + held) + totals[7]; reached = pc + 1; }  // it was fetched
        int64_t next = pc + 1;
        switch (packet.control) {
        case LOOP: levels.push_back({pc + 1, pc + 1 + packet.b, packet.a, pc + 1 + packet.b}); break;
        case CALL: levels.push_back({pc - packet.a, pc - packet.a + packet.b, 1, pc + 1}); next = pc - packet.a; break;
        case BASE: stream[(size_t)packet.a].begin(packet.b); break;
        case LEVEL: stream[(size_t)packet.a].extent[packet.b] = packet.c; stream[(size_t)packet.a].stride[packet.b] = packet.d;
                    stream[(size_t)packet.a].begin(stream[(size_t)packet.a].base); break;
        case START: {
            const int64_t *s = starts + 4 * packet.b;
            auto &queue = flying[s[2]];
            if ((int64_t)queue.size() >= depth) { held = std::max(held, queue.front().end - now); if (late) run(queue.front()); queue.pop_front(); }
            bus = std::max(bus, now + held + latency) + s[3];
            queue.push_back({s[0], s[1], bus + (s[2] == 1 ? latency : 0)});
            if (!late) { for (auto &outs : due) (void)outs; run(queue.back()); }
            next = pc + 1 + packet.c;
            break;
        }
        case WAIT:
            while ((int64_t)flying[packet.a].size() > packet.b) {
                held = std::max(held, flying[packet.a].front().end - now);
                if (late) run(flying[packet.a].front());
                flying[packet.a].pop_front();
            }
            break;
        case MARK: marks[2 * marked] = packet.a; marks[2 * marked + 1] = now + held; marked++; break;
        case END: next = count; break;
        }
        now++;
        while (!levels.empty() && next == levels.back().end) {
            Level &level = levels.back();
            if (--level.left > 0) { next = level.first; break; }
            next = level.back;
            levels.pop_back();
        }
        pc = next;
        if (now > most_cycles) return -1;
    }
    for (int64_t k = 0; k < 64; k++, now++) { for (const Out &out : due[(size_t)(now & 63)]) out.write(memories); due[(size_t)(now & 63)].clear(); }
    now -= 64;
    for (auto &queue : flying) for (; !queue.empty(); queue.pop_front()) { held = std::max(held, queue.front().end - now); if (late) run(queue.front()); }
    totals[0] = now + held; totals[1] = now; totals[2] = held; totals[3] = issued; totals[4] = marked;
    return 0;
}
