// What effects are written in, and the loop that issues packets. tb/packets/simulate.py writes a file that includes this one between its
// effects' types and its table of them.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

// Arithmetic: acg/ops.py says what it means.
static const float TINY = 1.17549435e-38f;
static inline float number(int64_t word) { uint32_t u = (uint32_t)word; float x; memcpy(&x, &u, 4); return x; }
static inline uint32_t word_of(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
static inline float flush(float x) {
    if (x != x) return number(0x7FC00000);
    return std::fabs(x) < TINY ? std::copysign(0.0f, x) : x;
}
static inline float add_f(float a, float b) { return flush(flush(a) + flush(b)); }
static inline float sub_f(float a, float b) { return flush(flush(a) - flush(b)); }
static inline float mul_f(float a, float b) { return flush(flush(a) * flush(b)); }
static inline float fma_f(float a, float b, float c) { return flush(std::fmaf(flush(a), flush(b), flush(c))); }
static inline bool above(float a, float b) { return a > b || (a == b && !std::signbit(a)); }
static inline float max_f(float a, float b) {
    a = flush(a); b = flush(b);
    return a != a || b != b ? number(0x7FC00000) : above(a, b) ? a : b;
}
static inline float min_f(float a, float b) {
    a = flush(a); b = flush(b);
    return a != a || b != b ? number(0x7FC00000) : above(a, b) ? b : a;
}
static inline int32_t add_i(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static inline int32_t sub_i(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
static inline int32_t mul_i(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
static inline int32_t rne(float x) {
    if (x != x) return 0;
    float r = std::nearbyintf(x);
    return (int32_t)std::min(std::max(r, -16777216.0f), 16777216.0f);
}
static inline int32_t clamp(int32_t x, int32_t low, int32_t high) { return std::min(std::max(x, low), high); }
static inline bool within(int32_t x, int32_t limit) { return x >= 0 && x < limit; }
static inline bool both(bool a, bool b) { return a && b; }
static inline float guess_reciprocal(float x) { return number((uint32_t)(RECIPROCAL_MAGIC - word_of(x))); }
static inline float guess_root(float x) { return number((uint32_t)(ROOT_MAGIC - (word_of(x) >> 1))); }

template <class T> static inline T at(const uint8_t *memory, int64_t address) { T x; memcpy(&x, memory + address, sizeof x); return x; }
static inline uint32_t bits(uint8_t x) { return x; }
static inline uint32_t bits(int8_t x) { return (uint8_t)x; }
static inline uint32_t bits(int32_t x) { return (uint32_t)x; }
static inline uint32_t bits(float x) { return word_of(x); }

// What an instruction writes: runs of bytes.
struct Run { int32_t memory; int64_t address; int64_t first, size; };
struct Out {
    std::vector<Run> runs;
    std::vector<uint8_t> data;
    void clear() { runs.clear(); data.clear(); }
    void put(int32_t memory, int64_t address, int size, uint32_t word) {
        if (runs.empty() || runs.back().memory != memory || runs.back().address + runs.back().size != address)
            runs.push_back({memory, address, (int64_t)data.size(), 0});
        for (int k = 0; k < size; k++) data.push_back((uint8_t)(word >> 8 * k));
        runs.back().size += size;
    }
    void write(uint8_t *const *m) const {
        for (const Run &r : runs) memcpy(m[r.memory] + r.address, data.data() + r.first, (size_t)r.size);
    }
};
typedef void (*Effect)(const int64_t *fields, uint8_t *const *memories, Out &out);
