/* Blocks in flash: a map from blocks to units, pages written in order into an open superblock, and collection of what is not valid any more.
 * A write is complete when it is programmed. What happens at a power failure is not looked after yet. */
#include "flash.h"
#include "media.h"

#if !DRIVE_RAM_BLOCKS

#define UNIT_DWORDS (DRIVE_UNIT_BYTES / 4u)
#define NOWHERE 0u            /* in the map, and in owners */
#define GONE 0xFFFFFFFFu      /* in the map: it could not be read when it was to be moved */
#define NO_BLOCK 0xFFFFFFFFu  /* of a unit that only fills its page */
#define PAGES_UNDER_WAY (2u * DRIVE_ALL_DIES)
#define JOBS (DRIVE_MOVED_UNITS + PAGES_UNDER_WAY * DRIVE_PAGE_UNITS + 1u)
#define FREE_LOW 3u /* superblocks: with fewer, collection begins */

/* Tags: what an operation was for. */
#define FOR_READ 0u
#define FOR_MOVE 1u
#define FOR_PAGE 2u
#define FOR_ERASE 3u
#define TAG_KIND_SHIFT 13u
#define TAG_EPOCH 0x1000u
#define TAG_INDEX 0xFFFu

typedef enum { FREE, OPEN, CLOSED, BAD } superblock_state;

typedef struct {
    uint32_t valid;
    uint8_t state;
    bool failed; /* not to be used again */
} superblock;

/* A unit that is to be programmed. */
typedef struct {
    uint32_t block;
    uint32_t from; /* in the device's memory */
    uint32_t old;  /* moved: the map must still say so */
    command *c;    /* null: moved, or its command is forgotten */
    bool moved;
} job;

typedef struct {
    uint32_t unit; /* the first one */
    bool used;
    job units[DRIVE_PAGE_UNITS];
} page;

static superblock superblocks[DRIVE_SUPERBLOCKS];
static uint32_t free_superblocks;
static uint32_t open_superblock, open_page; /* the page of it that comes next */
static uint64_t sequence;

static page pages[PAGES_UNDER_WAY];
static uint32_t pages_used;
static job jobs[JOBS]; /* moved, or to be programmed again: before what the host writes */
static uint32_t jobs_head, jobs_count;
static command *writers[DRIVE_SLOTS];
static uint32_t writers_head, writers_count;

/* Collection. */
static bool collecting;
static uint32_t victim, victim_next; /* the unit of it that is looked at next */
static uint32_t moves;               /* units that are read or to be programmed */
static bool move_used[DRIVE_MOVED_UNITS];
static struct { uint32_t block, unit; } move[DRIVE_MOVED_UNITS];
static bool emptied;
static uint32_t erases;

/* Reads of the host's, by epoch: a block is erased when those that may have its old units have ended. */
static uint32_t epoch, reads[2];
static bool forgetting;

static volatile uint32_t *map(uint32_t block)
{
    return (volatile uint32_t *)(uintptr_t)drive_memory(DRIVE_MAP_BASE) + block;
}

static volatile uint32_t *owner(uint32_t unit)
{
    return (volatile uint32_t *)(uintptr_t)drive_memory(DRIVE_OWNERS_BASE) + unit;
}

static uint32_t buffer(const command *c)
{
    return DRIVE_BUFFERS_BASE + c->slot * (DRIVE_TRANSFER_PAGES * DRIVE_UNIT_BYTES);
}

static void fill_and_wait(uint32_t base, uint32_t bytes)
{
    drive_write64(DRIVE_MOVE_ADDRESS, base);
    drive_write(DRIVE_MOVE_DWORDS, bytes / 4u);
    drive_write(DRIVE_MOVE, drive_put(DRIVE_MOVE_KIND, DRIVE_KIND_FILL));
    while ((drive_read(DRIVE_MOVED) & DRIVE_MOVED_VALID_MASK) == 0u) {
    }
}

void media_start(void)
{
    fill_and_wait(DRIVE_MAP_BASE, DRIVE_MAP_BYTES);
    fill_and_wait(DRIVE_OWNERS_BASE, DRIVE_OWNERS_BYTES);
    free_superblocks = DRIVE_SUPERBLOCKS;
    open_superblock = DRIVE_SUPERBLOCKS; /* none */
    open_page = SUPERBLOCK_PAGES;
}

/* The map. */

static void invalidate(uint32_t entry)
{
    if (entry != NOWHERE && entry != GONE) {
        superblocks[(entry - 1u) / SUPERBLOCK_UNITS].valid--;
    }
}

static void point(uint32_t block, uint32_t entry)
{
    invalidate(*map(block));
    *map(block) = entry;
    if (entry != NOWHERE && entry != GONE) {
        superblocks[(entry - 1u) / SUPERBLOCK_UNITS].valid++;
    }
}

/* Reads. */

static void read_units(command *c, uint32_t fault)
{
    uint32_t count = c->media_count;

    c->left = 1; /* not done before all have begun */
    c->lost = fault != 0u;
    for (uint32_t i = 0; i < count && fault == 0u; i++) {
        uint32_t entry = *map(c->media_first + i);

        if (entry == GONE) {
            c->lost = true;
        } else if (entry != NOWHERE) {
            c->left++;
            reads[epoch]++;
            flash_begin(DRIVE_OP_READ, FOR_READ << TAG_KIND_SHIFT | (epoch != 0u ? TAG_EPOCH : 0u) | c->slot, entry - 1u,
                        c->media_to + (uint64_t)i * DRIVE_UNIT_BYTES, false);
        }
    }
    if (--c->left == 0u) {
        c->after(c, c->lost ? MEDIA_LOST : 0u);
    }
}

void media_fetch(command *c, uint32_t first, uint32_t count, uint64_t to, command_step *next)
{
    c->media_first = first;
    c->media_count = count;
    c->media_to = (uint32_t)to;
    c->after = next;
    for (uint32_t i = 0; i < count; i++) {
        if (*map(first + i) == NOWHERE) {
            command_fill(c, to, count * UNIT_DWORDS, read_units);
            return;
        }
    }
    read_units(c, 0);
}

static void fetched(command *c, uint32_t fault)
{
    if (fault != 0u) {
        command_end(c, command_fault_status(fault), 0);
    } else {
        command_to_host(c, buffer(c), c->media_count * UNIT_DWORDS, NULL);
    }
}

/* Writes. */

static void written(command *c, uint32_t fault)
{
    if (fault != 0u) {
        command_end(c, command_fault_status(fault), 0);
        return;
    }
    c->left = c->media_count;
    c->begun = 0;
    writers[(writers_head + writers_count++) % DRIVE_SLOTS] = c;
}

void media_transfer(command *c, uint32_t first, uint32_t count, bool write)
{
    if (write) {
        c->media_first = first;
        c->media_count = count;
        command_from_host(c, buffer(c), count * UNIT_DWORDS, written);
    } else {
        media_fetch(c, first, count, buffer(c), fetched);
    }
}

void media_clear(command *c, uint32_t first, uint32_t count, command_step *next)
{
    for (uint32_t i = 0; i < count; i++) {
        point(first + i, NOWHERE);
    }
    if (next != NULL) {
        next(c, 0);
    } else {
        command_end(c, NVME_STATUS_SUCCESS, 0);
    }
}

static void add_job(const job *j)
{
    jobs[(jobs_head + jobs_count++) % JOBS] = *j;
}

/* The next unit that waits to be programmed. */
static bool take_job(job *j)
{
    if (jobs_count != 0u) {
        *j = jobs[jobs_head];
        jobs_head = (jobs_head + 1u) % JOBS;
        jobs_count--;
        return true;
    }
    if (writers_count != 0u) {
        command *c = writers[writers_head];

        *j = (job){.block = c->media_first + c->begun, .from = buffer(c) + c->begun * DRIVE_UNIT_BYTES, .c = c};
        if (++c->begun == c->media_count) {
            writers_head = (writers_head + 1u) % DRIVE_SLOTS;
            writers_count--;
        }
        return true;
    }
    return false;
}

/* Whether as many wait as a page has. */
static bool page_full(void)
{
    const command *c = writers[writers_head];
    uint32_t units = jobs_count + (writers_count == 0u ? 0u : c->media_count - c->begun);

    return writers_count > 1u ? units + writers_count - 1u >= DRIVE_PAGE_UNITS : units >= DRIVE_PAGE_UNITS;
}

/* Whether the next page of the open superblock may be written, opening another if need be: for the host only if one stays free for
 * collection. */
static bool open_next(bool host)
{
    if (open_page < SUPERBLOCK_PAGES) {
        return true;
    }
    if (open_superblock < DRIVE_SUPERBLOCKS && superblocks[open_superblock].state == OPEN) {
        superblocks[open_superblock].state = superblocks[open_superblock].failed ? BAD : CLOSED;
    }
    if (free_superblocks < (host ? 2u : 1u)) {
        return false;
    }
    for (uint32_t i = 1; i <= DRIVE_SUPERBLOCKS; i++) { /* in turn: they wear alike */
        uint32_t at = (open_superblock + i) % DRIVE_SUPERBLOCKS;
        if (superblocks[at].state == FREE) {
            open_superblock = at;
            open_page = 0;
            superblocks[at].state = OPEN;
            free_superblocks--;
            return true;
        }
    }
    return false;
}

static void program_pages(void)
{
    while (pages_used < PAGES_UNDER_WAY) {
        bool moved = jobs_count != 0u;
        uint32_t at = 0, index;
        page *p;

        if ((!moved && writers_count == 0u) || (pages_used != 0u && !page_full()) || !open_next(!moved)) {
            return; /* a page that is not full waits for those that are under way: more may come */
        }
        while (pages[at].used) {
            at++;
        }
        p = &pages[at];
        p->used = true;
        pages_used++;
        p->unit = (open_superblock * SUPERBLOCK_PAGES + open_page) * DRIVE_PAGE_UNITS;
        index = FOR_PAGE << TAG_KIND_SHIFT | at;
        for (uint32_t i = 0; i < DRIVE_PAGE_UNITS; i++) {
            if (!take_job(&p->units[i])) {
                p->units[i] = (job){.block = NO_BLOCK, .from = DRIVE_MOVING_BASE};
            }
            drive_write64(DRIVE_FLASH_LBA, p->units[i].block);
            drive_write64(DRIVE_FLASH_SEQUENCE, sequence++);
            flash_begin(DRIVE_OP_PROGRAM, index, p->unit + i, p->units[i].from, i + 1u < DRIVE_PAGE_UNITS);
        }
        open_page++;
    }
}

static void unit_programmed(const job *j, uint32_t unit)
{
    *owner(unit) = NOWHERE;
    if (j->block == NO_BLOCK) {
        return;
    }
    if (!j->moved) {
        point(j->block, unit + 1u);
        *owner(unit) = j->block + 1u;
        if (j->c != NULL && --j->c->left == 0u) {
            command_end(j->c, NVME_STATUS_SUCCESS, 0);
        }
        return;
    }
    if (*map(j->block) == j->old) { /* nobody has written it meanwhile */
        point(j->block, unit + 1u);
        *owner(unit) = j->block + 1u;
    }
    move_used[(j->from - DRIVE_MOVING_BASE) / DRIVE_UNIT_BYTES] = false;
    moves--;
}

static void page_ended(uint32_t at, uint32_t status)
{
    page *p = &pages[at];
    superblock *s = &superblocks[p->unit / SUPERBLOCK_UNITS];

    if (status != DRIVE_UNIT_GOOD) {
        s->failed = true;
        if (p->unit / SUPERBLOCK_UNITS == open_superblock) {
            open_page = SUPERBLOCK_PAGES; /* nothing more goes there */
        } else if (s->state == CLOSED) {
            s->state = BAD;
        }
    }
    for (uint32_t i = 0; i < DRIVE_PAGE_UNITS; i++) {
        if (status == DRIVE_UNIT_GOOD) {
            unit_programmed(&p->units[i], p->unit + i);
        } else if (p->units[i].block != NO_BLOCK) {
            add_job(&p->units[i]);
        }
    }
    p->used = false;
    pages_used--;
}

/* Collection: of the closed superblock with the least that is valid, everything that is goes elsewhere; then it is erased. */

static bool written_to(uint32_t at)
{
    for (uint32_t i = 0; i < PAGES_UNDER_WAY; i++) {
        if (pages[i].used && pages[i].unit / SUPERBLOCK_UNITS == at) {
            return true;
        }
    }
    return false;
}

static bool choose_victim(void)
{
    uint32_t least = SUPERBLOCK_UNITS;

    for (uint32_t i = 0; i < DRIVE_SUPERBLOCKS; i++) {
        if (superblocks[i].state == CLOSED && superblocks[i].valid < least && !written_to(i)) {
            least = superblocks[i].valid;
            victim = i;
        }
    }
    return least < SUPERBLOCK_UNITS;
}

static void move_units(void)
{
    for (uint32_t at = 0; at < DRIVE_MOVED_UNITS && victim_next < SUPERBLOCK_UNITS; at++) {
        if (move_used[at]) {
            continue;
        }
        while (victim_next < SUPERBLOCK_UNITS) {
            uint32_t unit = victim * SUPERBLOCK_UNITS + victim_next++, block = *owner(unit);

            if (block != NOWHERE && *map(block - 1u) == unit + 1u) {
                move_used[at] = true;
                moves++;
                move[at].block = block - 1u;
                move[at].unit = unit;
                flash_begin(DRIVE_OP_READ, FOR_MOVE << TAG_KIND_SHIFT | at, unit, DRIVE_MOVING_BASE + at * DRIVE_UNIT_BYTES, false);
                break;
            }
        }
    }
}

static void move_read(uint32_t at, uint32_t status)
{
    job j = {.block = move[at].block, .from = DRIVE_MOVING_BASE + at * DRIVE_UNIT_BYTES, .old = move[at].unit + 1u, .moved = true};

    if (status == DRIVE_UNIT_GOOD) {
        add_job(&j);
        return;
    }
    if (*map(j.block) == j.old) {
        point(j.block, GONE);
    }
    move_used[at] = false;
    moves--;
}

static void collect(void)
{
    if (!collecting) {
        if (free_superblocks >= FREE_LOW || !choose_victim()) {
            return;
        }
        collecting = true;
        emptied = false;
        victim_next = 0;
    }
    if (!emptied) {
        move_units();
        if (victim_next == SUPERBLOCK_UNITS && moves == 0u) {
            emptied = true;
            epoch ^= 1u;
        }
    }
    if (emptied && erases == 0u && reads[epoch ^ 1u] == 0u) {
        for (uint32_t die = 0; die < DRIVE_ALL_DIES; die++) {
            erases++;
            flash_begin(DRIVE_OP_ERASE, FOR_ERASE << TAG_KIND_SHIFT, victim * SUPERBLOCK_UNITS + die * DRIVE_PAGE_UNITS, 0, false);
        }
    }
}

static void erase_ended(uint32_t status)
{
    superblocks[victim].failed = superblocks[victim].failed || status != DRIVE_UNIT_GOOD;
    if (--erases == 0u) {
        superblocks[victim].state = superblocks[victim].failed ? BAD : FREE;
        free_superblocks += superblocks[victim].failed ? 0u : 1u;
        collecting = false;
    }
}

void media_ended(void)
{
    uint32_t ended = drive_read(DRIVE_FLASH_ENDED), tag = drive_get(ended, DRIVE_FLASH_ENDED_TAG);
    uint32_t status = drive_get(ended, DRIVE_FLASH_ENDED_STATUS), index = tag & TAG_INDEX;

    if ((ended & DRIVE_FLASH_ENDED_VALID_MASK) == 0u) {
        return;
    }
    switch (tag >> TAG_KIND_SHIFT) {
    case FOR_READ: {
        command *c = command_in(index);

        reads[(tag & TAG_EPOCH) != 0u]--;
        c->lost = c->lost || status != DRIVE_UNIT_GOOD;
        if (!forgetting && --c->left == 0u) {
            c->after(c, c->lost ? MEDIA_LOST : 0u);
        }
        break;
    }
    case FOR_MOVE:
        move_read(index, status);
        break;
    case FOR_PAGE:
        page_ended(index, status);
        break;
    default:
        erase_ended(status);
        break;
    }
}

void media_work(void)
{
    collect();
    program_pages();
}

void media_reset(void)
{
    forgetting = true;
    writers_count = 0;
    for (uint32_t i = 0; i < PAGES_UNDER_WAY; i++) {
        for (uint32_t k = 0; k < DRIVE_PAGE_UNITS; k++) {
            pages[i].units[k].c = NULL;
        }
    }
    for (uint32_t i = 0; i < JOBS; i++) {
        if (!jobs[i].moved) {
            jobs[i] = (job){.block = NO_BLOCK, .from = DRIVE_MOVING_BASE}; /* of a write that is forgotten */
        }
    }
    /* Buffers are still read from: until the host's reads and all programs have ended, no other command may have them. */
    while (reads[0] + reads[1] != 0u || pages_used != 0u) {
        media_ended();
    }
    forgetting = false;
}

#endif
