// A guest that is User-Mode Linux: its PCI bus comes over vhost-user (virtio device 1234 of the kernel's virt-pci driver), its time from
// here, the calendar of its external time travel. One process, one thread: while the guest runs no time passes here, while the drive
// works the guest waits, and what both wait for is jumped to.
//
// Formats: Linux 6.1, arch/um/drivers/vhost_user.h, include/uapi/linux/{um_timetravel,virtio_pcidev,virtio_ring}.h.

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host_memory.h"

namespace {

[[noreturn]] void fail(const char *form, ...) {
    va_list list;
    va_start(list, form);
    std::fputs("link: ", stdout);
    std::vprintf(form, list);
    std::putchar('\n');
    std::fflush(stdout);
    std::exit(1);
}

void all(bool write_it, int file, void *data, size_t bytes) {
    auto *at = static_cast<uint8_t *>(data);
    while (bytes) {
        ssize_t done = write_it ? write(file, at, bytes) : read(file, at, bytes);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) fail("the guest is gone in the middle of a message");
        at += done;
        bytes -= static_cast<size_t>(done);
    }
}

// Sockets: one for the calendar, one for the device, and one by which the device calls the guest.
int calendar_listens = -1, device_listens = -1, calendar = -1, device = -1, calls = -1;

int listening(const char *path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    if (file < 0 || bind(file, reinterpret_cast<sockaddr *>(&address), sizeof address) || listen(file, 1))
        fail("cannot listen at %s: %s", path, std::strerror(errno));
    return file;
}

// Time: of the drive, in ns. The guest's is never later than what it was granted.
constexpr uint64_t TIME_OF_DAY = 1'767'225'600'000'000'000ull;  // 2026-01-01: of every run
constexpr uint64_t FOR_EVER = 1ull << 62;
constexpr uint64_t FREE = 1'000'000'000;                        // how far a guest may run by itself beside an idle drive
uint64_t now = 0, skipped = 0, wanted = 0;
bool waits = false, wants = false, gone = false;
unsigned long exchanged = 0;

enum Travel : uint32_t { ACK, START, REQUEST, WAIT, GET, UPDATE, RUN, FREE_UNTIL, GET_TOD };
struct TravelMessage {
    uint32_t op, seq;
    uint64_t time;
};

void jump_to(uint64_t time) {
    if (time > now) {
        skipped += time - now;
        now = time;
    }
}

// A message of the guest's about time; whether it was the acknowledgement of ours.
bool take_travel() {
    TravelMessage message;
    ssize_t first = recv(calendar, &message, sizeof message, MSG_WAITALL);
    if (first != static_cast<ssize_t>(sizeof message)) {
        gone = true;
        return true;
    }
    exchanged++;
    if (message.op == ACK) return true;
    TravelMessage answer{ACK, message.seq, 0};
    switch (message.op) {
    case START: break;
    case REQUEST: wanted = message.time; wants = true; break;
    case WAIT: waits = true; break;
    case GET: answer.time = now; break;
    case UPDATE: jump_to(message.time); break;
    case GET_TOD: answer.time = TIME_OF_DAY; break;
    default: fail("a message about time that is not known: %u", message.op);
    }
    all(true, calendar, &answer, sizeof answer);
    return false;
}

void tell(uint32_t op, uint64_t time) {
    static uint32_t seq = 0;
    TravelMessage message{op, ++seq, time};
    all(true, calendar, &message, sizeof message);
    exchanged++;
    while (!take_travel()) {
    }
}

// The guest's memory, and queues in it.
uint64_t guest_base = 0, guest_bytes = 0;
uint8_t *guest = nullptr;

uint8_t *at(uint64_t address, uint64_t bytes) {
    if (address < guest_base || address - guest_base > guest_bytes || bytes > guest_bytes - (address - guest_base))
        fail("the guest names memory that it has not shown: %#llx", static_cast<unsigned long long>(address));
    return guest + (address - guest_base);
}

struct Descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
constexpr uint16_t NEXT = 1, WRITE = 2;

struct Ring {
    uint32_t entries = 0;
    uint64_t table = 0, used = 0, available = 0;
    uint16_t seen = 0, returned = 0;

    uint16_t &word(uint64_t address) const { return *reinterpret_cast<uint16_t *>(at(address, 2)); }
    bool some() const { return entries && seen != word(available + 2); }
    uint16_t take() { return word(available + 4 + 2 * (seen++ % entries)); }
    Descriptor descriptor(uint16_t index) const {
        Descriptor found;
        std::memcpy(&found, at(table + 16ull * index, 16), 16);
        return found;
    }
    void give_back(uint16_t head, uint32_t written) {
        uint32_t entry[2] = {head, written};
        std::memcpy(at(used + 4 + 8ull * (returned++ % entries), 8), entry, 8);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        word(used + 2) = returned;
    }
};
Ring commands, interrupts;

// vhost-user.
struct Header {
    uint32_t request, flags, size;
};
constexpr uint32_t VERSION = 1, REPLY = 4, NEED_REPLY = 8;
enum Request : uint32_t {
    GET_FEATURES = 1, SET_FEATURES = 2, SET_OWNER = 3, SET_MEM_TABLE = 5, SET_VRING_NUM = 8, SET_VRING_ADDR = 9, SET_VRING_BASE = 10,
    GET_PROTOCOL_FEATURES = 15, SET_PROTOCOL_FEATURES = 16, SET_VRING_ENABLE = 18, SET_SLAVE_REQ_FD = 21, VRING_KICK = 35
};
constexpr uint64_t FEATURES = 1ull << 32 | 1ull << 30, PROTOCOL = 1ull << 3 | 1ull << 5 | 1ull << 14;
constexpr uint32_t CALL = 4;

void reply(const Header &to, uint64_t value) {
    struct __attribute__((packed)) {
        Header header;
        uint64_t value;
    } message{{to.request, VERSION | REPLY, 8}, value};
    all(true, device, &message, sizeof message);
}

// The guest is told that a queue has moved; it acknowledges, and may ask for the time before.
void call(uint32_t index) {
    struct __attribute__((packed)) {
        Header header;
        uint32_t index, number;
    } message{{CALL, VERSION | NEED_REPLY, 8}, index, 0};
    all(true, calls, &message, sizeof message);
    for (;;) {
        pollfd files[2] = {{calls, POLLIN, 0}, {calendar, POLLIN, 0}};
        if (poll(files, 2, -1) < 0 && errno != EINTR) fail("poll: %s", std::strerror(errno));
        if (files[1].revents) take_travel();
        if (gone) return;
        if (files[0].revents & POLLIN) {
            struct __attribute__((packed)) {
                Header header;
                uint64_t value;
            } answer;
            all(false, calls, &answer, sizeof answer);
            return;
        }
        if (files[0].revents & (POLLHUP | POLLERR)) {
            gone = true;
            return;
        }
    }
}

// Interrupts: a list for when the guest has no buffer, in which equal ones are one.
std::deque<uint32_t> messages;

void message_came(uint32_t data) {
    for (uint32_t known : messages)
        if (known == data) return;
    messages.push_back(data);
}

struct PciMessage {
    uint8_t op, bar;
    uint16_t reserved;
    uint32_t size;
    uint64_t address;
};
enum Op : uint8_t { CONFIG_READ = 1, CONFIG_WRITE, BAR_READ, BAR_WRITE, BAR_SET, MSI = 7 };

void deliver() {
    bool some = false;
    while (!messages.empty() && interrupts.some()) {
        uint16_t head = interrupts.take();
        PciMessage message{MSI, 0, 0, 4, 0};
        Descriptor into = interrupts.descriptor(head);
        uint8_t *to = at(into.address, sizeof message + 4);
        std::memcpy(to, &message, sizeof message);
        std::memcpy(to + sizeof message, &messages.front(), 4);
        interrupts.give_back(head, sizeof message + 4);
        messages.pop_front();
        some = true;
    }
    if (some) call(1);
}

// PCI's configuration space: a non-prefetchable 64-bit BAR of 16 KiB, and MSI-X.
constexpr uint32_t BAR_BYTES = 0x4000, MSIX = 0x40;
uint8_t config[4096];

void put(uint32_t offset, uint32_t value, int bytes) { std::memcpy(config + offset, &value, static_cast<size_t>(bytes)); }

void make_config(uint32_t vectors, uint32_t identifiers) {
    put(0x00, identifiers, 4);
    put(0x06, 0x0010, 2);  // status: capabilities
    put(0x08, 0x01080201, 4);  // class: NVM Express; revision 1
    put(0x10, 0x4, 4);         // 64 bits
    put(0x2C, identifiers, 4);
    put(0x34, MSIX, 1);
    put(MSIX, 0x11, 2);
    put(MSIX + 2, vectors - 1, 2);
    put(MSIX + 4, 0x2000, 4);
    put(MSIX + 8, 0x3000, 4);
}

void write_config(uint32_t offset, const uint8_t *data, uint32_t bytes) {
    for (uint32_t k = 0; k < bytes; k++) {
        uint32_t byte = offset + k;
        uint8_t mask = 0;
        if (byte == 0x04) mask = 0x06;                        // memory, bus master
        else if (byte == 0x05) mask = 0x04;                   // INTx off
        else if (byte == 0x10) mask = 0;                      // a BAR of 16 KiB: its low bits are fixed
        else if (byte == 0x11) mask = static_cast<uint8_t>(~((BAR_BYTES - 1) >> 8));
        else if (byte >= 0x12 && byte < 0x18) mask = 0xFF;
        else if (byte == 0x3C) mask = 0xFF;
        else if (byte == MSIX + 3) mask = 0xC0;               // enable, mask
        config[byte] = static_cast<uint8_t>((config[byte] & ~mask) | (data[k] & mask));
    }
}

// What the guest has asked of BAR 0: one access at a time, in 32-bit words.
struct Access {
    bool write;
    uint32_t address, bytes;
    uint8_t data[8];
    uint8_t *into;  // where a read's answer goes
    uint16_t head;
    uint32_t done = 0;
};
std::deque<Access> accesses;
bool acknowledge = false;  // a kick waits for its reply until accesses are done
Header kick;
uint32_t unreclaimed = 0;

// Takes what the guest has put into its queue, up to the next access to BAR 0.
void take_commands() {
    while (accesses.empty() && commands.some()) {
        uint16_t head = commands.take();
        uint8_t text[64] = {};
        size_t length = 0;
        uint8_t *answer = nullptr;
        uint32_t room = 0;
        for (uint16_t index = head;;) {
            Descriptor part = commands.descriptor(index);
            uint8_t *from = at(part.address, part.length);
            if (part.flags & WRITE) {
                answer = from;
                room = part.length;
            } else {
                if (length + part.length > sizeof text) fail("a command of %zu bytes", length + part.length);
                std::memcpy(text + length, from, part.length);
                length += part.length;
            }
            if (!(part.flags & NEXT)) break;
            index = part.next;
        }
        PciMessage message;
        std::memcpy(&message, text, sizeof message);
        const uint8_t *data = text + sizeof message;
        if (message.op == CONFIG_READ || message.op == CONFIG_WRITE) {
            if (message.address + message.size > sizeof config || message.size > 8) fail("configuration space ends before %#llx",
                                                                                          static_cast<unsigned long long>(message.address));
            if (message.op == CONFIG_WRITE) write_config(static_cast<uint32_t>(message.address), data, message.size);
            else if (message.size <= room) std::memcpy(answer, config + message.address, message.size);
            commands.give_back(head, message.op == CONFIG_READ ? message.size : 0);
        } else if ((message.op == BAR_READ || message.op == BAR_WRITE) && message.bar == 0 && message.size <= 8 &&
                   message.address + message.size <= BAR_BYTES) {
            Access access{message.op == BAR_WRITE, static_cast<uint32_t>(message.address), message.size, {}, answer, head};
            std::memcpy(access.data, data, message.size);
            accesses.push_back(access);
        } else {
            fail("operation %u of %u bytes at %#llx of BAR %u", message.op, message.size, static_cast<unsigned long long>(message.address),
                 message.bar);
        }
    }
    if (accesses.empty() && acknowledge) {
        acknowledge = false;
        if (kick.flags & NEED_REPLY) reply(kick, 0);
    }
}

void take_request() {
    Header header;
    char control[CMSG_SPACE(2 * sizeof(int))];
    iovec part{&header, sizeof header};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = recvmsg(device, &message, MSG_WAITALL);
    if (got == 0) {
        gone = true;
        return;
    }
    if (got != static_cast<ssize_t>(sizeof header)) fail("a broken request");
    int files[2] = {-1, -1};
    for (cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            std::memcpy(files, CMSG_DATA(c), std::min(c->cmsg_len - CMSG_LEN(0), sizeof files));
    uint8_t body[512] = {};
    if (header.size > sizeof body) fail("a request of %u bytes", header.size);
    all(false, device, body, header.size);
    uint32_t index, number;
    std::memcpy(&index, body, 4);
    std::memcpy(&number, body + 4, 4);
    exchanged++;
    Ring &ring = index == 0 ? commands : interrupts;
    switch (header.request) {
    case GET_FEATURES: reply(header, FEATURES); return;
    case GET_PROTOCOL_FEATURES: reply(header, PROTOCOL); return;
    case SET_OWNER: case SET_FEATURES: case SET_PROTOCOL_FEATURES: case SET_VRING_ENABLE: break;
    case SET_SLAVE_REQ_FD: calls = files[0]; break;
    case SET_MEM_TABLE: {
        uint64_t region[4];  // of the guest, bytes, of the user, offset in the file
        std::memcpy(region, body + 8, sizeof region);
        guest_base = region[0];
        guest_bytes = region[1];
        void *mapped = mmap(nullptr, guest_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, files[0], static_cast<off_t>(region[3]));
        if (mapped == MAP_FAILED) fail("cannot map the guest's memory: %s", std::strerror(errno));
        guest = static_cast<uint8_t *>(mapped);
        host_share(guest_base, guest_bytes, guest);
        break;
    }
    case SET_VRING_NUM: ring.entries = number; break;
    case SET_VRING_BASE: ring.seen = ring.returned = static_cast<uint16_t>(number); break;
    case SET_VRING_ADDR: {
        uint64_t addresses[3];
        std::memcpy(addresses, body + 8, sizeof addresses);
        ring.table = addresses[0];
        ring.used = addresses[1];
        ring.available = addresses[2];
        break;
    }
    case VRING_KICK:
        if (index == 0) {  // answered when everything has been done
            acknowledge = true;
            kick = header;
            take_commands();
            return;
        }
        break;
    default: fail("a request that is not known: %u", header.request);
    }
    if (header.flags & NEED_REPLY) reply(header, 0);
}

// Whatever the guest says next.
void take_any() {
    pollfd files[4] = {{calendar >= 0 ? calendar : calendar_listens, POLLIN, 0}, {device >= 0 ? device : device_listens, POLLIN, 0}};
    if (poll(files, 2, -1) < 0) {
        if (errno == EINTR) return;
        fail("poll: %s", std::strerror(errno));
    }
    if (files[0].revents) {
        if (calendar < 0) calendar = accept(calendar_listens, nullptr, nullptr);
        else take_travel();
    } else if (files[1].revents) {
        if (device < 0) device = accept(device_listens, nullptr, nullptr);
        else take_request();
    }
}

}  // namespace

extern "C" {

// `identifiers`: PCI's, of the vendor and, in the upper half, of the device.
void link_open(const char *folder, int vectors, int identifiers) {
    char path[256];
    make_config(static_cast<uint32_t>(vectors), static_cast<uint32_t>(identifiers));
    host_on_message(0xA0000 / 4096, message_came);
    std::snprintf(path, sizeof path, "%s/device", folder);
    device_listens = listening(path);
    std::snprintf(path, sizeof path, "%s/calendar", folder);
    calendar_listens = listening(path);
}

// Called at every clock edge, `time` ns after the start without what was skipped. `idle`: nothing in the drive will happen by itself.
// Returns 0: a cycle goes by; 1, 2: BAR 0 is to be read, written (address, value), and `link_done` is to be called; 3: the guest is gone.
int link_poll(unsigned long long time, int idle, unsigned *address, unsigned *value) {
    now = time + skipped;
    for (;;) {
        if (gone) return 3;
        if (!accesses.empty()) {
            const Access &access = accesses.front();
            *address = access.address + access.done;
            std::memcpy(value, access.data + access.done, 4);
            return access.write ? 2 : 1;
        }
        if (unreclaimed >= 64 && waits) {  // the guest is to free their buffers; while it handles a call, it would forget another
            unreclaimed = 0;
            call(0);
        }
        if (!messages.empty() && waits && interrupts.some()) deliver();
        if (!waits) {
            take_any();
            // An access ends what the guest may do by itself: the drive has something to do.
            if (!accesses.empty()) tell(FREE_UNTIL, now);
            continue;
        }
        if (!wants) fail("the guest waits for nothing");
        if (wanted > now && !idle) return 0;
        if (wanted > FOR_EVER) fail("the guest waits for an interrupt, and the drive for the guest");
        jump_to(wanted);
        waits = wants = false;
        tell(RUN, wanted);
        if (idle) tell(FREE_UNTIL, now + FREE);
    }
}

// The access that `link_poll` gave is over.
void link_done(unsigned value) {
    Access &access = accesses.front();
    if (!access.write) std::memcpy(access.into + access.done, &value, std::min(4u, access.bytes - access.done));
    access.done += 4;
    if (access.done < access.bytes) return;
    commands.give_back(access.head, access.write ? 0 : access.bytes);
    unreclaimed += access.write;
    accesses.pop_front();
    take_commands();
}

unsigned long long link_time(unsigned long long time) { return time + skipped; }
int link_msix() { return config[MSIX + 3] >> 6; }
unsigned long long link_messages() { return exchanged; }
}
