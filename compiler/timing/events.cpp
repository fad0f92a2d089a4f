// When each instruction of a program begins and ends: the event loop of tb/model.py, step by step the same, compiled.
//
// LEVELS and GUARDS, of a transfer at most, are defined when it is compiled (compiler/timing/native.py). Every number that hardware or covenant determines comes in, in arrays of 64-bit integers (compiler/timing/program.py); this file
// knows only who waits for whom, and how runs of bytes become bursts.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <queue>
#include <vector>

namespace {

using Cycle = int64_t;
using Wide = __int128;  // products of several
constexpr Cycle BUSY = Cycle(1) << 62;  // until further notice

// acg/pace.py, then what else the machine is.
struct Machine {
  Cycle start, fetch, fetch_interval, fetch_ahead, check, head, load_request, store_request, guard, answer, load_finish, end;
  Cycle fetch_beats, queue_depth, bus_bytes, burst_beats, dram_latency, outstanding;
};

struct Instruction {
  Cycle unit, waits, release, done, walk, fill, occupancy, latency, released_after, step, transfer;  // -1: none
};

// A value that moves by a step with each level's index.
struct Affine {
  Cycle base, steps[LEVELS];
  Cycle at(const Cycle *index) const {
    Cycle sum = base;
    for (int level = 0; level < LEVELS; ++level) sum += steps[level] * index[level];
    return sum;
  }
};

// Bytes of a run lie inside if 0 <= coordinate < limit; the coordinate goes on along the run, or is one for all of it.
struct Guard {
  Affine coordinate;
  Cycle along, limit;
};

struct Transfer {
  Cycle write, counts[LEVELS], run;  // levels from the outermost; bytes of a run
  Affine outside, inside;            // where it is in DRAM, and on chip
  Guard guards[GUARDS];
};

Cycle quotient(Cycle a, Cycle b) { return a / b - (a % b < 0); }

// Goes through the bursts of a transfer.
struct Bursts {
  const Transfer *transfer = nullptr;
  const Machine *machine = nullptr;
  Cycle index[LEVELS] = {}, first = 0, last = 0, spare = 0, page = 0, last_page = 0;
  bool sourced = false;
  Cycle beats = 0, cycles = 0;  // on the bus (0: a run that needs none); that the on-chip side takes

  Bursts() = default;
  Bursts(const Transfer *transfer, const Machine *machine) : transfer(transfer), machine(machine) { run(); }

  void run() {
    Cycle low = 0, high = transfer->run, bus = machine->bus_bytes;
    for (const Guard &guard : transfer->guards) {
      Cycle at = guard.coordinate.at(index);
      if (guard.along) {
        if (-at > low) low = -at;
        if (guard.limit - at < high) high = guard.limit - at;
      } else if (at < 0 || at >= guard.limit) {
        high = 0;
      }
    }
    sourced = high > low;
    Cycle source = transfer->outside.at(index), target = transfer->inside.at(index);
    Cycle touched = quotient(target + transfer->run - 1, bus) - quotient(target, bus) + 1;
    first = last = page = last_page = 0;
    if (sourced) {
      first = quotient(source + low, bus);
      last = quotient(source + high - 1, bus);
      page = quotient(first, machine->burst_beats);
      last_page = quotient(last, machine->burst_beats);
    }
    // Words touched on chip beyond the run's beats are written with its last burst.
    spare = touched - (sourced ? last - first + 1 : 0);
    if (spare < 0) spare = 0;
    burst();
  }

  void burst() {
    Cycle begin = page * machine->burst_beats, end = begin + machine->burst_beats - 1;
    if (first > begin) begin = first;
    if (last < end) end = last;
    beats = sourced ? end - begin + 1 : 0;
    cycles = beats + (page == last_page ? spare : 0);
  }

  // To the next one, unless this is the last.
  bool next() {
    if (page != last_page) {
      ++page;
      burst();
      return true;
    }
    for (int level = LEVELS - 1; level >= 0; --level) {
      if (++index[level] < transfer->counts[level]) {
        run();
        return true;
      }
      index[level] = 0;
    }
    return false;
  }
};

// What an instruction does at the ports of a memory: the banks that it uses, one bit each, in how many cycles, how many pass before the
// first of them, and how far they are behind the issues that they belong to.
struct Use {
  Cycle banks, accesses, begin, lag;
};

// An instruction that computes: it issues from `start` on for `work` cycles, and longer where others are served before it.
struct Stream {
  int32_t index;
  Cycle start, end, work;
};

struct Moments {
  Cycle head, granted, begun, released, done;
};

struct Totals {
  Cycle cycles, read_beats, write_beats, dispatched, queued;
};

enum Kind { FETCH, CHECK, PUSH, GRANT, TAKE, RELEASED, FINISHED, REQUEST };

struct Event {
  Cycle time;
  uint64_t order;
  Kind kind;
  int32_t what;  // an engine, or an instruction
  bool operator<(const Event &other) const { return time != other.time ? time > other.time : order > other.order; }
};

struct Engine {
  std::deque<int32_t> queue;
  std::deque<Cycle> flight;    // when bursts that are under way end
  std::deque<Stream> streams;  // of what it computes, in order
  Bursts bursts;               // of the transfer that it works on
  bool granted = false;
  Cycle ready_at = 0, end = 0, busy = 0, busy_until = 0, waited = 0, head_since = 0, writer_free = 0;
};

struct Simulation {
  const Machine &machine;
  const Instruction *program;
  const int32_t count;
  const Transfer *transfers;
  const Use *uses;        // of each instruction one for each kind of port
  const Cycle *rank;      // of each kind of port, each engine's: the lower is served first, -1 is none
  const int32_t ports;
  Moments *moments;
  std::vector<Engine> engines;
  Cycle tokens[64] = {};
  std::priority_queue<Event> events{};
  std::vector<Cycle> fetched{};
  uint64_t order = 0;
  Cycle now = 0, last = 0, dram_free = 0, read_beats = 0, write_beats = 0;
  int32_t dispatched = 0;
  bool fetching = false, checking = false, blocked = false;

  void at(Cycle time, Kind kind, int32_t what = 0) { events.push({time > now ? time : now, ++order, kind, what}); }

  Cycle serve(Cycle cycles, Cycle not_before) {
    Cycle free = dram_free > now + machine.dram_latency ? dram_free : now + machine.dram_latency;
    return dram_free = (free > not_before ? free : not_before) + cycles;
  }

  void fetch() {
    auto k = int32_t(fetched.size());
    fetching = k <= count && k - dispatched <= machine.fetch_ahead;
    if (!fetching) return;
    Cycle served = serve(machine.fetch_beats, 0);
    read_beats += machine.fetch_beats;
    fetched.push_back(served + machine.fetch);
    at(fetched.back(), CHECK);
    at(now + machine.fetch_interval, FETCH);
  }

  void check() {
    if (checking || dispatched >= int32_t(fetched.size()) || fetched[dispatched] > now) return;
    if (dispatched == count) {
      if (now > last) last = now;
      return;
    }
    checking = true;
    at(now + machine.check + program[dispatched].walk, PUSH);
  }

  void push() {
    Engine &engine = engines[program[dispatched].unit];
    if (Cycle(engine.queue.size()) > machine.queue_depth) {
      blocked = true;
      return;
    }
    engine.queue.push_back(dispatched);
    if (engine.queue.size() == 1) engine.head_since = now + machine.head;
    ++dispatched;
    checking = false;
    at(now + 1, CHECK);
    if (!fetching) {
      fetching = true;
      at(now + 1, FETCH);
    }
    at(now + machine.head, GRANT);
  }

  void grant() {
    for (std::size_t e = 0; e < engines.size(); ++e) {
      Engine &engine = engines[e];
      if (engine.queue.empty() || engine.granted || engine.head_since > now) continue;
      int32_t index = engine.queue.front();
      auto wanted = uint64_t(program[index].waits);
      bool there = true;
      for (uint64_t left = wanted; left && there; left &= left - 1) there = tokens[__builtin_ctzll(left)] != 0;
      if (!there) continue;
      for (uint64_t left = wanted; left; left &= left - 1) --tokens[__builtin_ctzll(left)];
      engine.granted = true;
      moments[index].head = engine.head_since;
      moments[index].granted = now;
      Cycle since = engine.head_since > engine.busy_until ? engine.head_since : engine.busy_until;
      if (now > since) engine.waited += now - since;
      at(now + 1, TAKE, int32_t(e));
    }
  }

  void signal(uint64_t mask) {
    for (; mask; mask &= mask - 1) ++tokens[__builtin_ctzll(mask)];
    at(now + 1, GRANT);
  }

  void take(int32_t e) {
    Engine &engine = engines[e];
    if (!engine.granted) return;
    if (engine.ready_at > now) {
      if (engine.ready_at != BUSY) at(engine.ready_at, TAKE, e);
      return;
    }
    int32_t index = engine.queue.front();
    engine.queue.pop_front();
    moments[index].begun = now;
    engine.granted = false;
    engine.head_since = now + 1;
    at(now + 1, GRANT);
    if (blocked) {
      blocked = false;
      at(now + 1, PUSH);
    }
    const Instruction &i = program[index];
    if (i.transfer >= 0) {
      engine.ready_at = BUSY;
      engine.bursts = Bursts(&transfers[i.transfer], &machine);
      at(now + (transfers[i.transfer].write ? machine.store_request : machine.load_request), REQUEST, index);
    } else {
      compute(engine, i, index);
    }
  }

  static void occupied(Engine &engine, Cycle begin, Cycle end) {
    Cycle from = begin > engine.busy_until ? begin : engine.busy_until;
    if (end > from) engine.busy += end - from;
    if (end > engine.busy_until) engine.busy_until = end;
  }

  void compute(Engine &engine, const Instruction &i, int32_t index) {
    Stream stream{index, now + i.fill > engine.end ? now + i.fill : engine.end, 0, i.occupancy};
    stream.end = stream.start + i.occupancy;
    for (Engine &other : engines) {
      while (!other.streams.empty() && moments[other.streams.front().index].done <= now) other.streams.pop_front();
      for (const Stream &before : other.streams) stream.end = delayed(stream, before);
    }
    engine.end = stream.end;
    engine.streams.push_back(stream);
    Cycle ready = i.fill ? engine.end - i.step : engine.end;
    engine.ready_at = ready > now + 1 ? ready : now + 1;
    Cycle done = engine.end + i.latency;
    occupied(engine, now, done);
    at(moments[index].released = engine.end + i.released_after, RELEASED, index);
    at(moments[index].done = done, FINISHED, index);
    for (Engine &other : engines) delay(other, stream);
  }

  // When `stream` ends if `before` is served first wherever it uses the same bank.
  Cycle delayed(const Stream &stream, const Stream &before) const {
    Cycle end = stream.end;
    for (int32_t port = 0; port < ports; ++port) {
      const Use &mine = uses[stream.index * ports + port], &its = uses[before.index * ports + port];
      const Cycle *ranks = rank + port * Cycle(engines.size());
      if (!(mine.banks & its.banks) || ranks[program[before.index].unit] >= ranks[program[stream.index].unit]) continue;
      Cycle then = behind(stream, mine, before, its);
      if (then > end) end = then;
    }
    return end;
  }

  // The same for one kind of port. Of the cycles that are left to it while both issue, `stream` needs as many as it has accesses.
  static Cycle behind(const Stream &stream, const Use &mine, const Stream &before, const Use &its) {
    Cycle first = before.start + its.begin + its.lag - mine.lag, until = before.end + its.lag - mine.lag;
    Cycle from = first > stream.start ? first : stream.start;
    if (from >= stream.end || from >= until) return stream.end;
    Cycle work = before.work - its.begin, idle = its.accesses < work ? work - its.accesses : 0;
    Wide part = Wide(idle) * stream.work, whole = Wide(work) * mine.accesses;  // of its cycles, in which it goes on
    if (part >= whole) return stream.end;
    Cycle left = stream.end - from, during = Cycle((until - from) * part / whole);
    return during >= left ? from + Cycle((left * whole + part - 1) / part) : until + left - during;
  }

  // Moves what `engine` issues to where it comes when `stream` is served first, and what follows from that.
  void delay(Engine &engine, const Stream &stream) {
    Cycle free = 0, later = 0;
    for (Stream &moved : engine.streams) {
      if (moved.index == stream.index) return;
      later = moved.start < free ? free - moved.start : 0;
      moved.start += later;
      moved.end += later;
      Cycle end = moved.end > now ? delayed(moved, stream) : moved.end;
      later += end - moved.end;
      free = moved.end = end;
      moments[moved.index].released += later;
      moments[moved.index].done += later;
    }
    engine.end += later;
    engine.ready_at += later;
    engine.busy += later;
    engine.busy_until += later;
  }

  void request(int32_t index) {
    const Instruction &i = program[index];
    Engine &engine = engines[i.unit];
    while (!engine.flight.empty() && engine.flight.front() <= now) engine.flight.pop_front();
    if (Cycle(engine.flight.size()) >= machine.outstanding) {
      at(engine.flight.front(), REQUEST, index);
      return;
    }
    const bool write = engine.bursts.transfer->write;
    const Cycle beats = engine.bursts.beats, cycles = engine.bursts.cycles, free = engine.writer_free;
    Cycle end;
    if (!beats) {
      end = (free > now ? free : now) + cycles;
    } else {
      end = serve(beats > cycles ? beats : cycles, write ? 0 : free);
      (write ? write_beats : read_beats) += beats;
      engine.flight.push_back(end + (write ? machine.dram_latency : 0) + machine.guard);
    }
    engine.writer_free = end;
    if (engine.bursts.next()) {
      at(now + 1, REQUEST, index);
      return;
    }
    engine.ready_at = now;
    at(now, TAKE, int32_t(i.unit));
    Cycle done = end + machine.answer + (write ? machine.dram_latency : machine.load_finish);
    occupied(engine, moments[index].begun, done);
    at(write ? end : done, RELEASED, index);
    at(done, FINISHED, index);
  }

  void run() {
    at(machine.start, FETCH);
    while (!events.empty()) {
      Event event = events.top();
      events.pop();
      now = event.time;
      switch (event.kind) {
        case FETCH: fetch(); break;
        case CHECK: check(); break;
        case PUSH: push(); break;
        case GRANT: grant(); break;
        case TAKE: take(event.what); break;
        case RELEASED:
          if (moments[event.what].released > now) {  // it was delayed meanwhile
            at(moments[event.what].released, RELEASED, event.what);
            break;
          }
          moments[event.what].released = now;
          signal(uint64_t(program[event.what].release));
          break;
        case FINISHED:
          if (moments[event.what].done > now) {
            at(moments[event.what].done, FINISHED, event.what);
            break;
          }
          moments[event.what].done = now;
          if (now > last) last = now;
          signal(uint64_t(program[event.what].done));
          break;
        case REQUEST: request(event.what); break;
      }
    }
  }
};

}  // namespace

// Fills `moments` (one a instruction), `busy` and `waited` (one a unit), and `totals`: the program has ended if all that is
// dispatched is all there is, and nothing is queued.
extern "C" void tenon_time(const Machine *machine, const Instruction *program, int32_t count, const Transfer *transfers, const Use *uses,
                           const Cycle *rank, int32_t ports, int32_t units, Moments *moments, Cycle *busy, Cycle *waited, Totals *totals) {
  Simulation simulation{*machine, program, count, transfers, uses, rank, ports, moments, std::vector<Engine>(units)};
  simulation.fetched.reserve(count + 1);
  simulation.run();
  totals->queued = 0;
  for (int32_t e = 0; e < units; ++e) {
    busy[e] = simulation.engines[e].busy;
    waited[e] = simulation.engines[e].waited;
    totals->queued += Cycle(simulation.engines[e].queue.size());
  }
  totals->cycles = simulation.last + machine->end;
  totals->read_beats = simulation.read_beats;
  totals->write_beats = simulation.write_beats;
  totals->dispatched = simulation.dispatched;
}
