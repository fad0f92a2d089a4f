/* Power on: the newest unit of each block is where it is. Pages of a superblock are written in order, so that what follows a row of erased
 * ones is erased. Blocks that were deallocated may be back. */
#include "ftl.h"

#if !DRIVE_RAM_BLOCKS

#define ROW_UNITS (DRIVE_ALL_DIES * DRIVE_PAGE_UNITS)
#define ASKED_MOST 16u

static uint64_t sequence;

/* Of each block, the sequence of the unit that the map has; the room is commands', of which there are none yet. */
static volatile uint32_t *newest(uint32_t block)
{
    _Static_assert(UINT64_C(8) * DRIVE_UNITS <= DRIVE_BUFFERS_BYTES, "sequences do not fit where commands' data will be");
    return (volatile uint32_t *)(uintptr_t)drive_memory(DRIVE_BUFFERS_BASE) + (size_t)block * 2u;
}

static void read_to_look(uint32_t tag, uint32_t unit)
{
    flash_begin(DRIVE_OP_READ, tag, unit, DRIVE_MOVING_BASE, false);
}

static uint32_t wait_ended(void)
{
    uint32_t ended;

    do {
        ended = drive_read(DRIVE_FLASH_ENDED);
    } while ((ended & DRIVE_FLASH_ENDED_VALID_MASK) == 0u);
    return ended;
}

static void found_unit(uint32_t unit)
{
    uint64_t block = drive_read64(DRIVE_FLASH_FOUND), its = drive_read64(DRIVE_FLASH_FOUND + 8u);

    sequence = its >= sequence ? its + 1u : sequence;
    if (block < DRIVE_UNITS) {
        volatile uint32_t *known = newest((uint32_t)block);

        *owner(unit) = (uint32_t)block + 1u;
        if (map_look((uint32_t)block) == DRIVE_MAP_NOWHERE || its >= (known[0] | (uint64_t)known[1] << 32)) {
            point((uint32_t)block, unit + 1u);
            known[0] = (uint32_t)its;
            known[1] = (uint32_t)(its >> 32);
        }
    }
}

/* A row is the same page of all dies. */
static void scan(uint32_t at)
{
    uint32_t first = at * SUPERBLOCK_UNITS, end = first + SUPERBLOCK_UNITS;
    bool some = true;

    for (uint32_t row = first; row < end && some; row += ROW_UNITS) {
        some = false;
        for (uint32_t i = 0; i < ROW_UNITS; i++) {
            read_to_look(i, row + i);
        }
        for (uint32_t i = 0; i < ROW_UNITS; i++) {
            uint32_t ended = wait_ended(), status = drive_get(ended, DRIVE_FLASH_ENDED_STATUS);

            some = some || status != DRIVE_UNIT_ERASED;
            if (status == DRIVE_UNIT_GOOD) {
                found_unit(row + drive_get(ended, DRIVE_FLASH_ENDED_TAG));
            }
        }
    }
}

uint64_t scan_all(void)
{
    uint32_t asked = 0, told = 0;

    drive_fill(DRIVE_MAP_BASE, DRIVE_MAP_BYTES);
    drive_fill(DRIVE_OWNERS_BASE, DRIVE_OWNERS_BYTES);
    while (told < DRIVE_SUPERBLOCKS * DRIVE_ALL_DIES) { /* first pages: where there is nothing, nothing is behind it */
        if (asked < DRIVE_SUPERBLOCKS * DRIVE_ALL_DIES && asked - told < ASKED_MOST) {
            uint32_t at = asked / DRIVE_ALL_DIES, die = asked % DRIVE_ALL_DIES;

            read_to_look(at, at * SUPERBLOCK_UNITS + die * DRIVE_PAGE_UNITS);
            asked++;
        } else {
            uint32_t ended = wait_ended(), status = drive_get(ended, DRIVE_FLASH_ENDED_STATUS);
            superblock *s = &superblocks[drive_get(ended, DRIVE_FLASH_ENDED_TAG)];

            s->state = status != DRIVE_UNIT_ERASED ? CLOSED : s->state;
            s->failed = s->failed || status == DRIVE_UNIT_FAILED; /* bad from the factory on, or worn */
            told++;
        }
    }
    for (uint32_t at = 0; at < DRIVE_SUPERBLOCKS; at++) {
        if (superblocks[at].state == CLOSED) {
            scan(at);
            superblocks[at].state = superblocks[at].failed ? BAD : CLOSED;
        } else {
            free_superblocks++;
        }
    }
    return sequence;
}

#endif
