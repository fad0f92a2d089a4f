/* Collection: of the closed superblock with the least that is valid, everything that is goes elsewhere; then it is erased. */
#include "fast.h"
#include "ftl.h"

#if !DRIVE_RAM_BLOCKS

static bool collecting;
static uint32_t victim, victim_next;  /* the unit of it that is looked at next */
static uint32_t moves, moves_reading; /* units that are read or to be programmed; those that are read */
static bool move_used[DRIVE_MOVED_UNITS];
static struct { uint32_t block, unit; } move[DRIVE_MOVED_UNITS];
static bool emptied;
static uint32_t erases;

/* A die does what it is given in order, so that no erase overtakes a read; but hardware may have looked up a unit and not asked for it. */
static uint32_t epoch;

static bool choose_victim(void)
{
    uint32_t least = SUPERBLOCK_UNITS;

    for (uint32_t i = 0; i < DRIVE_SUPERBLOCKS; i++) {
        if (superblocks[i].state == CLOSED && superblocks[i].valid < least && !program_busy_in(i)) {
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

            if (block != NOBODY && map_look(block - 1u) == unit + 1u) {
                move_used[at] = true;
                moves++;
                moves_reading++;
                move[at].block = block - 1u;
                move[at].unit = unit;
                flash_begin(DRIVE_OP_READ, FOR_MOVE << TAG_KIND_SHIFT | at, unit, DRIVE_MOVING_BASE + at * DRIVE_UNIT_BYTES, false);
                break;
            }
        }
    }
}

void collect_read(uint32_t at, uint32_t status)
{
    job j = {.block = move[at].block, .from = DRIVE_MOVING_BASE + at * DRIVE_UNIT_BYTES, .old = move[at].unit + 1u, .moved = true};

    moves_reading--;
    if (status == DRIVE_UNIT_GOOD) {
        j.sequence = drive_read64(DRIVE_FLASH_FOUND + 8u);
        program_unit(&j);
        return;
    }
    (void)point_from(j.block, j.old, DRIVE_MAP_GONE);
    move_used[at] = false;
    moves--;
}

void collect_moved(const job *j)
{
    move_used[(j->from - DRIVE_MOVING_BASE) / DRIVE_UNIT_BYTES] = false;
    moves--;
}

bool collect_reads(void)
{
    return moves_reading != 0u;
}

void collect(void)
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
            fast_set_epoch(epoch);
        }
    }
    if (emptied && erases == 0u && !fast_old()) {
        for (uint32_t die = 0; die < DRIVE_ALL_DIES; die++) {
            erases++;
            flash_begin(DRIVE_OP_ERASE, FOR_ERASE << TAG_KIND_SHIFT, victim * SUPERBLOCK_UNITS + die * DRIVE_PAGE_UNITS, 0, false);
        }
    }
}

void collect_erased(uint32_t status)
{
    superblocks[victim].failed = superblocks[victim].failed || status != DRIVE_UNIT_GOOD;
    if (--erases == 0u) {
        superblocks[victim].state = superblocks[victim].failed ? BAD : FREE;
        free_superblocks += superblocks[victim].failed ? 0u : 1u;
        collecting = false;
    }
}

#endif
