// Cells of flash dies: pages by row, bits that go wrong, blocks that are bad, and the rules that a controller must keep.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "svdpi.h"

namespace {

struct Die {
    unsigned page_bytes = 0, pages = 0, blocks = 0;  // blocks of all planes
    std::unordered_map<uint32_t, std::vector<uint8_t>> written;
    std::vector<uint16_t> next;   // page of a block that is to be programmed next
    std::vector<uint32_t> erased; // how often
    std::unordered_set<uint32_t> bad;
    std::vector<uint8_t> array, page;  // the cells' register, and the cache register
    bool failed = false;
};

std::vector<Die> dies;
unsigned broken = 0;
uint64_t noise = 0x9E3779B97F4A7C15ull;
double bit_error_rate = 0, program_failure_rate = 0;
unsigned long long reads = 0, programs = 0, erases = 0, flipped = 0, turned = 0;

uint64_t next_noise() {  // splitmix64 (Steele, Lea, Flood 2014)
    uint64_t z = noise += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

double uniform() { return static_cast<double>(next_noise() >> 11) * 0x1p-53; }

void complain(unsigned die, const char *what, uint32_t row) {
    std::printf("nand: die %u: %s at row %#x\n", die, what, row);
    std::fflush(stdout);
    broken++;
}

}  // namespace

extern "C" {

// One more die; its number. Rates: of a bit in each read, of a block's program in each program; `bad` of a thousand blocks are so from
// the factory, never the first one.
int nand_die(int page_bytes, int pages, int blocks, double bit_errors, double failures, int bad, int seed) {
    Die die;
    die.page_bytes = static_cast<unsigned>(page_bytes);
    die.pages = static_cast<unsigned>(pages);
    die.blocks = static_cast<unsigned>(blocks);
    die.next.assign(die.blocks, 0);
    die.erased.assign(die.blocks, 0);
    die.page.assign(die.page_bytes, 0xFF);
    die.array = die.page;
    bit_error_rate = bit_errors;
    program_failure_rate = failures;
    noise ^= static_cast<uint64_t>(seed) * 0xD6E8FEB86659FD93ull + dies.size();
    for (uint32_t block = 1; block < die.blocks; block++)
        if (next_noise() % 1000 < static_cast<uint64_t>(bad)) die.bad.insert(block);
    dies.push_back(die);
    return static_cast<int>(dies.size()) - 1;
}

// Fills the cells' register with a page, as it reads today.
void nand_read(int number, int row) {
    Die &die = dies[static_cast<size_t>(number)];
    auto at = static_cast<uint32_t>(row);
    reads++;
    if (at >= die.pages * die.blocks) complain(static_cast<unsigned>(number), "a read beyond the die", at);
    auto found = die.written.find(at);
    if (found != die.written.end()) die.array = found->second;
    else die.array.assign(die.page_bytes, die.bad.count(at / die.pages) ? 0x00 : 0xFF);
    if (bit_error_rate > 0 && found != die.written.end()) {
        double expected = bit_error_rate * 8 * die.page_bytes;  // each bit for itself: gaps between errors are geometric
        unsigned count = 0;
        for (double sum = 0; count < 1000; count++) {  // Knuth's Poisson, in steps that do not underflow
            double u = uniform();
            sum += -__builtin_log(u > 0 ? u : 0x1p-53);
            if (sum > expected) break;
        }
        for (; count; count--) {
            uint64_t bit = next_noise() % (8ull * die.page_bytes);
            die.array[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
            flipped++;
        }
    }
}

// What the cells gave goes into the cache register; `cached`: while they read the next page.
void nand_turn(int number, int cached) {
    Die &die = dies[static_cast<size_t>(number)];
    turned += cached != 0;
    die.page = die.array;
}

void nand_clear(int number) {
    Die &die = dies[static_cast<size_t>(number)];
    die.page.assign(die.page_bytes, 0xFF);
}

// A word of the bus, one to four bytes.
int nand_get(int number, int column, int bytes) {
    Die &die = dies[static_cast<size_t>(number)];
    uint32_t word = 0;
    if (static_cast<unsigned>(column + bytes) > die.page_bytes) return -1;
    std::memcpy(&word, die.page.data() + column, static_cast<size_t>(bytes));
    return static_cast<int>(word);
}

void nand_put(int number, int column, int bytes, int value) {
    Die &die = dies[static_cast<size_t>(number)];
    auto word = static_cast<uint32_t>(value);
    if (static_cast<unsigned>(column + bytes) > die.page_bytes)
        complain(static_cast<unsigned>(number), "data beyond the page", static_cast<uint32_t>(column));
    else std::memcpy(die.page.data() + column, &word, static_cast<size_t>(bytes));
}

// The register into a page. 1: it failed.
int nand_program(int number, int row) {
    Die &die = dies[static_cast<size_t>(number)];
    auto at = static_cast<uint32_t>(row);
    uint32_t block = at / die.pages, page = at % die.pages;
    programs++;
    if (block >= die.blocks) {
        complain(static_cast<unsigned>(number), "a program beyond the die", at);
        return 1;
    }
    if (page < die.next[block]) complain(static_cast<unsigned>(number), "a page is programmed twice, or out of order", at);
    die.next[block] = static_cast<uint16_t>(page + 1);
    die.written[at] = die.page;
    return die.bad.count(block) || (program_failure_rate > 0 && uniform() < program_failure_rate) ? 1 : 0;
}

int nand_erase(int number, int row) {
    Die &die = dies[static_cast<size_t>(number)];
    uint32_t block = static_cast<uint32_t>(row) / die.pages;
    erases++;
    if (block >= die.blocks) {
        complain(static_cast<unsigned>(number), "an erase beyond the die", static_cast<uint32_t>(row));
        return 1;
    }
    for (uint32_t page = 0; page < die.pages; page++) die.written.erase(block * die.pages + page);
    die.next[block] = 0;
    die.erased[block]++;
    return die.bad.count(block) ? 1 : 0;
}

int nand_broken() { return static_cast<int>(broken); }
void nand_break(int number, const char *what, int row) { complain(static_cast<unsigned>(number), what, static_cast<uint32_t>(row)); }

void nand_report() {
    std::printf("nand: %llu reads, %llu of them while another page left, %llu programs, %llu erases, %llu bits read wrong, %u rules broken\n",
                reads, turned, programs, erases, flipped, broken);
    std::fflush(stdout);
}
}
