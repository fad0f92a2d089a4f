// The host's memory: bytes that a file maps, so that the bench's process sees them too, and for each byte what the drive may do with it.
// Whatever else it does is written down.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "host_memory.h"
#include "svdpi.h"

namespace {

constexpr uint64_t PAGE = 4096;
constexpr uint8_t MAY_READ = 1, MAY_WRITE = 2;

struct Arena {
    uint64_t base, bytes;
    uint8_t *memory, *rights;  // no rights: the drive may do anything
};

std::vector<Arena> arenas;
uint64_t message_page = ~0ull;  // where interrupts are written
void (*on_message)(uint32_t data) = nullptr;
unsigned broken = 0;

uint8_t *mapped(const char *path, size_t *bytes) {
    int file = open(path, O_RDWR);
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0) {
        std::fprintf(stderr, "host: cannot open %s\n", path);
        std::exit(1);
    }
    *bytes = static_cast<size_t>(about.st_size);
    void *at = mmap(nullptr, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (at == MAP_FAILED) {
        std::perror("host: mmap");
        std::exit(1);
    }
    return static_cast<uint8_t *>(at);
}

const Arena *arena_of(uint64_t address) {
    for (const Arena &arena : arenas)
        if (address - arena.base < arena.bytes) return &arena;
    return nullptr;
}

void complain(const char *what, uint64_t address) {
    std::printf("host: %s at %#llx\n", what, static_cast<unsigned long long>(address));
    std::fflush(stdout);
    broken++;
}

}  // namespace

void host_share(uint64_t base, uint64_t bytes, uint8_t *memory) { arenas.push_back({base, bytes, memory, nullptr}); }

void host_on_message(uint64_t page, void (*message)(uint32_t data)) {
    message_page = page * PAGE;
    on_message = message;
}

extern "C" {

// `list`: "BASE BYTES" in hexadecimal for each arena, in the order in which the files have them.
void host_open(const char *memory, const char *rights, const char *list, unsigned long long messages) {
    size_t bytes, same;
    uint8_t *at = mapped(memory, &bytes), *may = mapped(rights, &same);
    unsigned long long base, size;
    int read;
    while (std::sscanf(list, "%llx,%llx%n", &base, &size, &read) == 2) {
        arenas.push_back({base, size, at, may});
        at += size;
        may += size;
        list += read;
        if (*list == ':') list++;
    }
    message_page = messages;
}

// A beat that is read: some of its bytes must be the drive's to read. 0: it is at no memory.
int host_read(unsigned long long address, int bytes, svBitVecVal *data) {
    const Arena *arena = arena_of(address);
    if (!arena) return 0;
    uint64_t at = address - arena->base;
    uint8_t rights = 0;
    for (int i = 0; i < bytes && arena->rights; i++) rights |= arena->rights[at + i];
    if (arena->rights && !(rights & MAY_READ)) complain("read of what no command describes", address);
    std::memcpy(data, arena->memory + at, static_cast<size_t>(bytes));
    return 1;
}

// A beat that is written: each byte must be the drive's to write. 0: it is at no memory; 2: it was an interrupt.
int host_write(unsigned long long address, int bytes, const svBitVecVal *data, unsigned long long strobes) {
    if (on_message && address / PAGE == message_page / PAGE) {
        for (int i = 0; i < bytes; i += 4)
            if (strobes >> i & 1) on_message(data[i / 4]);
        return 2;
    }
    const Arena *arena = arena_of(address);
    if (!arena) return 0;
    uint64_t at = address - arena->base;
    const uint8_t *from = reinterpret_cast<const uint8_t *>(data);
    for (int i = 0; i < bytes; i++) {
        if (!(strobes >> i & 1)) continue;
        if (arena->rights && !(arena->rights[at + i] & MAY_WRITE)) complain("write of what no command describes", address + static_cast<uint64_t>(i));
        arena->memory[at + i] = from[i];
    }
    return address / PAGE == message_page / PAGE ? 2 : 1;
}

int host_broken() { return static_cast<int>(broken); }
}
