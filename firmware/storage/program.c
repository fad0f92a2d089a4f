/* Pages are programmed in order into the open superblock, with units that are moved before what the host writes. */
#include "ftl.h"

#if !DRIVE_RAM_BLOCKS

#define NO_BLOCK 0xFFFFFFFFu /* of a unit that only fills its page */
#define PAGES_UNDER_WAY (2u * DRIVE_ALL_DIES)
#define JOBS (DRIVE_MOVED_UNITS + PAGES_UNDER_WAY * DRIVE_PAGE_UNITS + 1u)

typedef struct {
    uint32_t unit; /* the first one */
    bool used;
    job units[DRIVE_PAGE_UNITS];
} page;

static uint32_t open_superblock, open_page; /* the page of it that comes next */
static uint64_t sequence;                   /* of the next unit that the host writes */

static page pages[PAGES_UNDER_WAY];
static uint32_t pages_used;
static job jobs[JOBS];
static uint32_t jobs_head, jobs_count;
static command *writers[DRIVE_SLOTS];
static uint32_t writers_head, writers_count;

void program_start(uint64_t next_sequence)
{
    sequence = next_sequence;
    open_superblock = DRIVE_SUPERBLOCKS; /* none */
    open_page = SUPERBLOCK_PAGES;
}

void program_unit(const job *j)
{
    jobs[(jobs_head + jobs_count++) % JOBS] = *j;
}

void program_blocks(command *c)
{
    c->left = c->media_count;
    c->begun = 0;
    writers[(writers_head + writers_count++) % DRIVE_SLOTS] = c;
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

/* Whether the next page of the open superblock may be written, opening another if need be: for the host only while enough stay free for
 * collection to go on. */
static bool open_next(bool host)
{
    if (open_page < SUPERBLOCK_PAGES) {
        return !host || free_superblocks >= HOST_LEAVES;
    }
    if (open_superblock < DRIVE_SUPERBLOCKS && superblocks[open_superblock].state == OPEN) {
        superblocks[open_superblock].state = superblocks[open_superblock].failed ? BAD : CLOSED;
    }
    if (free_superblocks < 1u + (host ? HOST_LEAVES : 0u)) {
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

void program_more(void)
{
    while (pages_used < PAGES_UNDER_WAY) {
        bool moved = jobs_count != 0u;
        uint32_t at = 0, index;
        page *p;

        if ((!moved && writers_count == 0u) || (!page_full() && (pages_used != 0u || collect_reads())) || !open_next(!moved)) {
            return; /* a page that is not full waits for those that are under way, and for what is read to be moved: more may come */
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
            drive_write64(DRIVE_FLASH_SEQUENCE, p->units[i].moved ? p->units[i].sequence : sequence++);
            flash_begin(DRIVE_OP_PROGRAM, index, p->unit + i, p->units[i].from, i + 1u < DRIVE_PAGE_UNITS);
        }
        open_page++;
    }
}

static void unit_programmed(const job *j, uint32_t unit)
{
    *owner(unit) = NOBODY;
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
    if (point_from(j->block, j->old, unit + 1u)) { /* nobody has written it meanwhile */
        *owner(unit) = j->block + 1u;
    }
    collect_moved(j);
}

void program_ended(uint32_t at, uint32_t status)
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
            program_unit(&p->units[i]);
        }
    }
    p->used = false;
    pages_used--;
}

bool program_busy(void)
{
    return pages_used != 0u;
}

bool program_busy_in(uint32_t at)
{
    for (uint32_t i = 0; i < PAGES_UNDER_WAY; i++) {
        if (pages[i].used && pages[i].unit / SUPERBLOCK_UNITS == at) {
            return true;
        }
    }
    return false;
}

void program_forget(void)
{
    writers_count = 0;
    for (uint32_t i = 0; i < PAGES_UNDER_WAY; i++) {
        for (uint32_t k = 0; k < DRIVE_PAGE_UNITS; k++) {
            pages[i].units[k].c = NULL;
        }
    }
    for (uint32_t i = 0; i < JOBS; i++) {
        if (!jobs[i].moved) {
            jobs[i] = (job){.block = NO_BLOCK, .from = DRIVE_MOVING_BASE};
        }
    }
}

#endif
