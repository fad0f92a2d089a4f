// Who waits for whom: compiler/hazards.py and compiler/tokens.py, step by step the same, compiled.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using Number = int64_t;

enum Kind { DONE, RELEASE };  // in the order of their names

struct Footprint {
  Number instruction, memory, low, high, write;
};

struct Range {
  Number low, high;
  int32_t instruction, unit;
};

struct Link {
  int32_t producer, consumer;
  Kind kind;
};

using Ranges = std::vector<Range>;

void drop_inside(Ranges &ranges, Number low, Number high, int32_t unit = -1) {
  ranges.erase(std::remove_if(ranges.begin(), ranges.end(),
                              [=](const Range &r) { return r.low >= low && r.high <= high && (unit < 0 || r.unit == unit); }),
               ranges.end());
}

struct Program {
  const Number *unit;  // of each instruction; units are numbered in the order of their names
  int32_t count, units, memories;
  const Footprint *footprints;  // by instruction
  int32_t footprint_count;
  const Number *ordered;  // of each unit and memory: whether the unit keeps its accesses in order itself

  std::vector<Link> links() const {
    std::vector<char> written(memories, 0);
    for (int32_t f = 0; f < footprint_count; ++f) written[footprints[f].memory] |= char(footprints[f].write);
    std::vector<Ranges> writes(memories), reads(memories);
    std::vector<int32_t> number(count), so_far(units, 0);
    const size_t width = 2 * size_t(units);  // of a clock: for each unit and kind the latest of its instructions known to be that far
    std::vector<int32_t> before(count * width), latest(units * width, 0);
    std::vector<Link> found;
    std::vector<std::pair<int32_t, Kind>> wanted;
    int32_t f = 0;
    for (int32_t k = 0; k < count; ++k) {
      const auto u = int32_t(unit[k]);
      number[k] = ++so_far[u];
      const int32_t begin = f;
      while (f < footprint_count && footprints[f].instruction == k) ++f;
      wanted.clear();
      for (int32_t i = begin; i < f; ++i) {
        const Footprint &p = footprints[i];
        if (!written[p.memory]) continue;
        const bool own = !p.write && !ordered[u * memories + p.memory];
        for (const Range &r : writes[p.memory])
          if (r.low <= p.high && r.high >= p.low && (r.unit != u || own)) wanted.emplace_back(r.instruction, DONE);
        if (!p.write) continue;
        for (const Range &r : reads[p.memory])
          if (r.low <= p.high && r.high >= p.low && r.unit != u) wanted.emplace_back(r.instruction, RELEASE);
      }
      for (int32_t i = begin; i < f; ++i) {
        const Footprint &p = footprints[i];
        if (!written[p.memory]) continue;
        if (p.write) {
          drop_inside(writes[p.memory], p.low, p.high);
          drop_inside(reads[p.memory], p.low, p.high);
        } else {
          drop_inside(reads[p.memory], p.low, p.high, u);
        }
      }
      for (int32_t i = begin; i < f; ++i) {
        const Footprint &p = footprints[i];
        if (written[p.memory]) (p.write ? writes : reads)[p.memory].push_back({p.low, p.high, k, u});
      }

      // The latest producers first: what they have seen may make the others unnecessary.
      std::sort(wanted.begin(), wanted.end(), std::greater<>());
      wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
      int32_t *clock = &before[k * width];
      std::copy_n(&latest[u * width], width, clock);
      for (auto [j, kind] : wanted) {
        int32_t *known = &clock[2 * unit[j]];
        if (known[kind] >= number[j]) continue;
        found.push_back({j, k, kind});
        for (size_t e = 0; e < width; ++e) clock[e] = std::max(clock[e], before[j * width + e]);
        known[kind] = number[j];
        if (kind == DONE) known[RELEASE] = std::max(known[RELEASE], number[j]);
      }
      std::copy_n(clock, width, &latest[u * width]);
    }
    return found;
  }
};

using Counter = std::tuple<Number, Number, Kind>;  // producing unit, consuming unit, kind

std::vector<Counter> counters_of(const std::vector<Link> &links, const Number *unit) {
  std::set<Counter> all;
  for (const Link &l : links) all.emplace(unit[l.producer], unit[l.consumer], l.kind);
  return {all.begin(), all.end()};
}

// All of one kind; of links between the same units, those that wait for something later than all before them.
std::vector<Link> merged(std::vector<Link> links, const Number *unit) {
  std::stable_sort(links.begin(), links.end(), [](const Link &a, const Link &b) {
    return a.consumer != b.consumer ? a.consumer < b.consumer : a.producer > b.producer;
  });
  std::map<std::pair<Number, Number>, int32_t> latest;
  std::vector<Link> kept;
  for (const Link &l : links) {
    auto [at, fresh] = latest.emplace(std::pair(unit[l.producer], unit[l.consumer]), -1);
    if (l.producer <= at->second) continue;
    at->second = l.producer;
    kept.push_back({l.producer, l.consumer, DONE});
  }
  return kept;
}

// So few signals ahead of their waits that a counter cannot overflow: compiler/tokens.py says how.
std::vector<std::pair<int32_t, int32_t>> bounded(const std::vector<std::pair<int32_t, int32_t>> &pairs,
                                                 const std::vector<int32_t> &producers, size_t most) {
  std::vector<std::pair<int32_t, int32_t>> kept;
  for (auto [j, k] : pairs) {
    if (!kept.empty() && j <= kept.back().first) continue;
    if (kept.size() >= most && j < kept[kept.size() - most].second) {
      auto later = std::upper_bound(producers.begin(), producers.end(), kept[kept.size() - most].second);
      if (later == producers.end() || *later >= k) {
        kept.back().first = j;
        continue;
      }
      j = *later;
    }
    kept.emplace_back(j, k);
  }
  return kept;
}

}  // namespace

// Fills a mask for each instruction and use. The result is the number of counters that are needed: more than `tokens`, and
// nothing is filled.
extern "C" int32_t tenon_tokens(const Number *unit, int32_t count, int32_t units, const Footprint *footprints,
                                int32_t footprint_count, int32_t memories, const Number *ordered, int32_t tokens, int32_t most,
                                Number *waits, Number *release, Number *done) {
  std::vector<Link> links = Program{unit, count, units, memories, footprints, footprint_count, ordered}.links();
  std::vector<Counter> counters = counters_of(links, unit);
  if (int32_t(counters.size()) > tokens) {  // done implies released: fewer counters, at some cost in time
    for (Link &l : links) l.kind = DONE;
    counters = counters_of(links, unit);
    links = merged(std::move(links), unit);
  }
  if (int32_t(counters.size()) > tokens) return int32_t(counters.size());
  std::vector<std::vector<int32_t>> producers(units);
  for (int32_t k = 0; k < count; ++k) producers[unit[k]].push_back(k);
  std::vector<std::vector<std::pair<int32_t, int32_t>>> pairs(counters.size());
  for (const Link &l : links) {
    const Counter counter{unit[l.producer], unit[l.consumer], l.kind};
    pairs[std::lower_bound(counters.begin(), counters.end(), counter) - counters.begin()].emplace_back(l.producer, l.consumer);
  }
  for (size_t bit = 0; bit < counters.size(); ++bit) {
    Number *signals = std::get<2>(counters[bit]) == DONE ? done : release;
    for (auto [j, k] : bounded(pairs[bit], producers[std::get<0>(counters[bit])], size_t(most))) {
      waits[k] |= Number(1) << bit;
      signals[j] |= Number(1) << bit;
    }
  }
  return int32_t(counters.size());
}
