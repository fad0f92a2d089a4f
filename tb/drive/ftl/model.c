/* A drive around the firmware's FTL, in a process: map, moves and dies whose work ends when whoever drives it says so. A unit's data are its
 * first eight bytes. */
#include <stdlib.h>
#include <string.h>

#include "fast.h"
#include "flash.h"
#include "map.h"
#include "media.h"

#define DIE_ROOM 256u
#define ENDED_ROOM 1024u
#define RAW (DRIVE_RAW_UNITS)
#define MEMORY_BYTES (DRIVE_OWNERS_BASE + DRIVE_OWNERS_BYTES)

typedef struct {
    uint32_t op, tag, unit;
    uint64_t address, lba, sequence, value;
    bool more; /* the next one is of the same page */
} operation;

typedef struct {
    uint64_t value, lba, sequence;
    bool programmed, unreadable, failed, spoilt; /* spoilt: its block is bad from the factory on */
} cell;

typedef struct {
    uint32_t slot, kind;
    uint64_t address, dwords;
    bool finish;
} move;

static uint8_t *memory;
static uint32_t registers[0x200 / 4];
static cell *cells;      /* they outlive power: ftl_cells() */
static uint32_t *next_page; /* of each superblock and die */
static operation dies[DRIVE_ALL_DIES][DIE_ROOM];
static uint32_t die_head[DRIVE_ALL_DIES], die_count[DRIVE_ALL_DIES];
static struct { uint32_t word; uint64_t lba, sequence; } ended[ENDED_ROOM];
static uint32_t ended_head, ended_count;
static move moves[2][DRIVE_SLOTS]; /* to the host and from it */
static uint32_t move_head[2], move_count[2];
static uint32_t moved[2 * DRIVE_SLOTS], moved_head, moved_count;
static uint32_t map_entry, finished[DRIVE_SLOTS];
static bool is_finished[DRIVE_SLOTS];
static uint64_t host_data[DRIVE_SLOTS][DRIVE_TRANSFER_PAGES];
static uint32_t fast_reads[2]; /* that were looked up and not read, by epoch */
static uint32_t broken;
static bool eager; /* whoever waits for flash gets it */

/* What whoever drives the model calls. */
size_t ftl_cell_bytes(void);
void ftl_spoil(void *kept, uint32_t superblock, uint32_t die);
void ftl_start(void *kept, void *kept_pages);
void ftl_submit(uint32_t slot, uint32_t kind, uint32_t first, uint32_t count, const uint64_t *data);
uint32_t ftl_moves(uint32_t from_host);
void ftl_move(uint32_t from_host);
uint32_t ftl_work(uint32_t die);
void ftl_finish(uint32_t die, uint32_t fails, uint32_t unreadable);
uint32_t ftl_poll(void);
int32_t ftl_finished(uint32_t slot, uint64_t *data);
uint32_t ftl_look(uint32_t block);
uint32_t ftl_epoch(void);
void ftl_fast(uint32_t epoch, int32_t change);
int32_t ftl_unit(uint32_t unit, uint64_t *value);
void ftl_reset(void);
uint32_t ftl_broken(void);

static void complain(uint32_t what)
{
    broken |= 1u << what;
}

volatile uint8_t *drive_memory(uint32_t address)
{
    return memory + address;
}

static uint64_t get64(uint32_t offset)
{
    return registers[offset / 4u] | (uint64_t)registers[offset / 4u + 1u] << 32;
}

/* Flash. */

static uint32_t die_of(uint32_t channel, uint32_t die)
{
    return die * DRIVE_CHANNELS + channel;
}

static void begin_flash(uint32_t value)
{
    uint32_t die = die_of(drive_get(value, DRIVE_FLASH_CHANNEL), drive_get(value, DRIVE_FLASH_DIE));
    uint32_t row = registers[DRIVE_FLASH_ROW / 4u];
    operation o = {.op = drive_get(value, DRIVE_FLASH_OP), .tag = drive_get(value, DRIVE_FLASH_TAG), .address = get64(DRIVE_FLASH_ADDRESS),
                   .lba = get64(DRIVE_FLASH_LBA), .sequence = get64(DRIVE_FLASH_SEQUENCE), .more = drive_get(value, DRIVE_FLASH_MORE) != 0u,
                   .unit = (row * DRIVE_ALL_DIES + die) * DRIVE_PAGE_UNITS + drive_get(value, DRIVE_FLASH_UNIT)};

    if (die >= DRIVE_ALL_DIES || o.unit >= RAW || die_count[die] == DIE_ROOM) {
        complain(0);
        return;
    }
    dies[die][(die_head[die] + die_count[die]++) % DIE_ROOM] = o;
}

static operation take(uint32_t die)
{
    operation o = dies[die][die_head[die]];
    die_head[die] = (die_head[die] + 1u) % DIE_ROOM;
    die_count[die]--;
    return o;
}

static void tell(const operation *o, uint32_t status, const cell *found)
{
    uint32_t at = (ended_head + ended_count++) % ENDED_ROOM;

    if (ended_count > ENDED_ROOM) {
        complain(1);
    }
    ended[at].word = DRIVE_FLASH_ENDED_VALID_MASK | drive_put(DRIVE_FLASH_ENDED_TAG, o->tag) | drive_put(DRIVE_FLASH_ENDED_STATUS, status);
    ended[at].lba = found != NULL ? found->lba : 0u;
    ended[at].sequence = found != NULL ? found->sequence : 0u;
}

static void finish_read(const operation *o)
{
    const cell *c = &cells[o->unit];

    if (c->programmed && !c->unreadable) {
        memcpy(memory + o->address, &c->value, sizeof c->value);
    }
    tell(o, !c->programmed ? DRIVE_UNIT_ERASED : c->unreadable ? DRIVE_UNIT_FAILED : DRIVE_UNIT_GOOD, c);
}

static void finish_program(uint32_t die, operation o, bool fails, bool unreadable)
{
    uint32_t block = o.unit / SUPERBLOCK_UNITS * DRIVE_ALL_DIES + die;
    uint32_t page = o.unit / (DRIVE_PAGE_UNITS * DRIVE_ALL_DIES) % DRIVE_PAGES;

    if (cells[o.unit].spoilt) {
        complain(7);
    }
    if (page != next_page[block]) {
        complain(2); /* a page twice, or out of order */
    }
    next_page[block] = page + 1u;
    for (;;) {
        uint64_t value;
        memcpy(&value, memory + o.address, sizeof value);
        cells[o.unit] = (cell){.value = value, .lba = o.lba, .sequence = o.sequence, .programmed = true,
                               .unreadable = unreadable || fails, .failed = fails};
        if (!o.more) {
            break;
        }
        if (die_count[die] == 0u || dies[die][die_head[die]].op != DRIVE_OP_PROGRAM) {
            complain(3);
            break;
        }
        o = take(die);
    }
    tell(&o, fails ? DRIVE_UNIT_FAILED : DRIVE_UNIT_GOOD, NULL);
}

static void finish_erase(uint32_t die, const operation *o, bool fails)
{
    uint32_t superblock = o->unit / SUPERBLOCK_UNITS;

    for (uint32_t unit = superblock * SUPERBLOCK_UNITS; unit < (superblock + 1u) * SUPERBLOCK_UNITS; unit++) {
        if (unit / DRIVE_PAGE_UNITS % DRIVE_ALL_DIES == die) {
            if (cells[unit].spoilt) {
                complain(7);
            }
            cells[unit] = (cell){0};
        }
    }
    next_page[superblock * DRIVE_ALL_DIES + die] = 0;
    tell(o, fails ? DRIVE_UNIT_FAILED : DRIVE_UNIT_GOOD, NULL);
}

uint32_t ftl_work(uint32_t die)
{
    for (uint32_t i = 0; i < die_count[die]; i++) { /* a whole operation */
        if (!dies[die][(die_head[die] + i) % DIE_ROOM].more) {
            return 1u + dies[die][die_head[die]].op;
        }
    }
    return 0;
}

void ftl_finish(uint32_t die, uint32_t fails, uint32_t unreadable)
{
    operation o = take(die);

    if (o.op == DRIVE_OP_READ) {
        finish_read(&o);
    } else if (o.op == DRIVE_OP_PROGRAM) {
        finish_program(die, o, fails != 0u, unreadable != 0u);
    } else {
        finish_erase(die, &o, fails != 0u);
    }
}

static uint32_t take_ended(void)
{
    uint32_t word;

    for (uint32_t die = 0; eager && ended_count == 0u && die < DRIVE_ALL_DIES; die++) {
        if (ftl_work(die) != 0u) {
            ftl_finish(die, 0, 0);
        }
    }
    if (ended_count == 0u) {
        return 0;
    }
    word = ended[ended_head].word;
    registers[DRIVE_FLASH_FOUND / 4u] = (uint32_t)ended[ended_head].lba;
    registers[DRIVE_FLASH_FOUND / 4u + 1u] = (uint32_t)(ended[ended_head].lba >> 32);
    registers[DRIVE_FLASH_FOUND / 4u + 2u] = (uint32_t)ended[ended_head].sequence;
    registers[DRIVE_FLASH_FOUND / 4u + 3u] = (uint32_t)(ended[ended_head].sequence >> 32);
    ended_head = (ended_head + 1u) % ENDED_ROOM;
    ended_count--;
    return word;
}

/* Moves and the map. */

static void say_moved(uint32_t slot)
{
    moved[(moved_head + moved_count++) % (2u * DRIVE_SLOTS)] = DRIVE_MOVED_VALID_MASK | drive_put(DRIVE_MOVED_SLOT, slot);
}

static void begin_move(uint32_t value)
{
    move m = {.slot = drive_get(value, DRIVE_MOVE_SLOT), .kind = drive_get(value, DRIVE_MOVE_KIND), .address = get64(DRIVE_MOVE_ADDRESS),
              .dwords = registers[DRIVE_MOVE_DWORDS / 4u], .finish = drive_get(value, DRIVE_MOVE_FINISH) != 0u};
    uint32_t from = m.kind == DRIVE_KIND_FROM_HOST;

    if (m.address + 4u * m.dwords > MEMORY_BYTES) {
        complain(4);
    } else if (m.kind == DRIVE_KIND_FILL) {
        memset(memory + m.address, 0, 4u * m.dwords);
        say_moved(m.slot);
    } else {
        moves[from][(move_head[from] + move_count[from]++) % DRIVE_SLOTS] = m;
    }
}

uint32_t ftl_moves(uint32_t from_host)
{
    return move_count[from_host];
}

void ftl_move(uint32_t from_host)
{
    move m = moves[from_host][move_head[from_host]];

    move_head[from_host] = (move_head[from_host] + 1u) % DRIVE_SLOTS;
    move_count[from_host]--;
    for (uint32_t i = 0; i < 4u * m.dwords / DRIVE_UNIT_BYTES; i++) {
        uint8_t *place = memory + m.address + (size_t)i * DRIVE_UNIT_BYTES;
        if (from_host != 0u) {
            memcpy(place, &host_data[m.slot][i], 8);
        } else {
            memcpy(&host_data[m.slot][i], place, 8);
        }
    }
    if (m.finish) {
        is_finished[m.slot] = true;
        finished[m.slot] = 0;
    } else {
        say_moved(m.slot);
    }
}

static void access_map(uint32_t op)
{
    uint32_t block = registers[DRIVE_MAP_BLOCK / 4u], *entry = (uint32_t *)(void *)(memory + DRIVE_MAP_BASE) + block;

    if (block >= DRIVE_UNITS) {
        complain(5);
        return;
    }
    map_entry = *entry;
    if (op == DRIVE_MAP_STORE || (op == DRIVE_MAP_SWAP && map_entry == registers[DRIVE_MAP_EXPECTED / 4u])) {
        *entry = registers[DRIVE_MAP_VALUE / 4u];
    }
}

uint32_t drive_read(uint32_t offset)
{
    uint32_t word;

    switch (offset) {
    case DRIVE_MOVED:
        if (moved_count == 0u) {
            return 0;
        }
        word = moved[moved_head];
        moved_head = (moved_head + 1u) % (2u * DRIVE_SLOTS);
        moved_count--;
        return word;
    case DRIVE_FLASH_ENDED:
        return take_ended();
    case DRIVE_MAP_ENTRY:
        return map_entry;
    case DRIVE_FAST:
        word = drive_get(registers[DRIVE_FAST / 4u], DRIVE_FAST_EPOCH);
        return registers[DRIVE_FAST / 4u] | drive_put(DRIVE_FAST_OLD, fast_reads[word ^ 1u] != 0u);
    default:
        return registers[offset / 4u];
    }
}

void drive_write(uint32_t offset, uint32_t value)
{
    registers[offset / 4u] = value;
    switch (offset) {
    case DRIVE_FLASH:
        begin_flash(value);
        break;
    case DRIVE_MOVE:
        begin_move(value);
        break;
    case DRIVE_MAP:
        access_map(drive_get(value, DRIVE_MAP_OP));
        break;
    case DRIVE_FINISH:
        if (is_finished[drive_get(value, DRIVE_FINISH_SLOT)]) {
            complain(6); /* twice */
        }
        is_finished[drive_get(value, DRIVE_FINISH_SLOT)] = true;
        finished[drive_get(value, DRIVE_FINISH_SLOT)] = drive_get(value, DRIVE_FINISH_STATUS);
        break;
    default:
        break;
    }
}

/* What drives it. */

size_t ftl_cell_bytes(void)
{
    return sizeof(cell);
}

void ftl_spoil(void *kept, uint32_t superblock, uint32_t die)
{
    cells = kept;
    for (uint32_t unit = superblock * SUPERBLOCK_UNITS; unit < (superblock + 1u) * SUPERBLOCK_UNITS; unit++) {
        if (unit / DRIVE_PAGE_UNITS % DRIVE_ALL_DIES == die) {
            cells[unit] = (cell){.programmed = true, .unreadable = true, .spoilt = true};
        }
    }
}

void ftl_start(void *kept, void *kept_pages)
{
    memory = calloc(1, MEMORY_BYTES);
    cells = kept;
    next_page = kept_pages;
    eager = true;
    media_start();
    eager = false;
}

void ftl_submit(uint32_t slot, uint32_t kind, uint32_t first, uint32_t count, const uint64_t *data)
{
    command *c = command_in(slot);

    c->slot = (uint8_t)slot;
    is_finished[slot] = false;
    if (kind == 2u) {
        media_clear(c, first, count, NULL);
        return;
    }
    if (kind == 1u) {
        memcpy(host_data[slot], data, count * sizeof *data);
    }
    media_transfer(c, first, count, kind == 1u);
}

/* As main.c does, once. Whether there was something. */
uint32_t ftl_poll(void)
{
    uint32_t word = moved_count != 0u ? drive_read(DRIVE_MOVED) : 0u;
    bool some = word != 0u || ended_count != 0u;

    if (word != 0u) {
        command *c = command_in(drive_get(word, DRIVE_MOVED_SLOT));
        c->next(c, drive_get(word, DRIVE_MOVED_FAULT));
    }
    if (ended_count != 0u) {
        media_ended();
    }
    media_work();
    return some;
}

int32_t ftl_finished(uint32_t slot, uint64_t *data)
{
    if (!is_finished[slot]) {
        return -1;
    }
    memcpy(data, host_data[slot], sizeof host_data[slot]);
    return (int32_t)finished[slot];
}

uint32_t ftl_look(uint32_t block)
{
    return ((uint32_t *)(void *)(memory + DRIVE_MAP_BASE))[block];
}

uint32_t ftl_epoch(void)
{
    return drive_get(registers[DRIVE_FAST / 4u], DRIVE_FAST_EPOCH);
}

void ftl_fast(uint32_t epoch, int32_t change)
{
    fast_reads[epoch] = (uint32_t)((int32_t)fast_reads[epoch] + change);
}

/* 0: erased, 1: its value, 2: it cannot be read, 3: because its program has failed. */
int32_t ftl_unit(uint32_t unit, uint64_t *value)
{
    *value = cells[unit].value;
    return !cells[unit].programmed ? 0 : cells[unit].failed ? 3 : cells[unit].unreadable ? 2 : 1;
}

void ftl_reset(void)
{
    for (uint32_t from = 0; from < 2u; from++) { /* as controller.c waits for them */
        while (move_count[from] != 0u) {
            ftl_move(from);
        }
    }
    moved_count = 0;
    eager = true;
    media_reset();
    eager = false;
}

uint32_t ftl_broken(void)
{
    return broken;
}
