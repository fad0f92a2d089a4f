/* Blocks in flash: a map from blocks to units, pages written in order into an open superblock, and collection of what is not valid any more.
 * A write is complete when it is programmed, and is found again at power on by what its unit says of itself. What is torn when power fails
 * is not looked after yet. */
#include "ftl.h"

#if !DRIVE_RAM_BLOCKS

#define UNIT_DWORDS (DRIVE_UNIT_BYTES / 4u)

#define READS_MOST 128u /* of units at a time: nobody waits for a die's queue, and there is room for all that have ended */

static command *readers[DRIVE_SLOTS]; /* commands with units that have not begun */
static uint32_t readers_head, readers_count;
static uint32_t reads; /* of commands, that have not ended */
static bool forgetting;

void media_start(void)
{
    program_start(scan_all());
}

/* Reads. */

static void unit_ended(command *c, bool lost)
{
    c->lost = c->lost || lost;
    if (--c->left == 0u) {
        c->after(c, c->lost ? MEDIA_LOST : 0u);
    }
}

static void read_more(void)
{
    while (readers_count != 0u && reads < READS_MOST) {
        command *c = readers[readers_head];
        uint32_t at = c->begun++, entry = map_look(c->media_first + at);

        if (c->begun == c->media_count) {
            readers_head = (readers_head + 1u) % DRIVE_SLOTS;
            readers_count--;
        }
        if (is_unit(entry)) {
            reads++;
            flash_begin(DRIVE_OP_READ, FOR_READ << TAG_KIND_SHIFT | c->slot, entry - 1u, c->media_to + (uint64_t)at * DRIVE_UNIT_BYTES,
                        false);
        } else {
            unit_ended(c, entry == DRIVE_MAP_GONE);
        }
    }
}

static void read_units(command *c, uint32_t fault)
{
    if (fault != 0u) {
        c->after(c, fault);
        return;
    }
    c->left = c->media_count;
    c->begun = 0;
    c->lost = false;
    readers[(readers_head + readers_count++) % DRIVE_SLOTS] = c;
}

void media_fetch(command *c, uint32_t first, uint32_t count, uint64_t to, command_step *next)
{
    c->media_first = first;
    c->media_count = count;
    c->media_to = (uint32_t)to;
    c->after = next;
    for (uint32_t i = 0; i < count; i++) {
        if (map_look(first + i) == DRIVE_MAP_NOWHERE) {
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
    program_blocks(c);
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
        point(first + i, DRIVE_MAP_NOWHERE);
    }
    if (next != NULL) {
        next(c, 0);
    } else {
        command_end(c, NVME_STATUS_SUCCESS, 0);
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

        reads--;
        if (!forgetting) {
            unit_ended(c, status != DRIVE_UNIT_GOOD);
        }
        break;
    }
    case FOR_MOVE:
        collect_read(index, status);
        break;
    case FOR_PAGE:
        program_ended(index, status);
        break;
    default:
        collect_erased(status);
        break;
    }
}

void media_work(void)
{
    read_more();
    collect();
    program_more();
}

void media_forget(void)
{
    forgetting = true;
    readers_count = 0;
}

void media_reset(void)
{
    media_forget();
    program_forget();
    /* Buffers are still read from: until the host's reads and all programs have ended, no other command may have them. */
    while (reads != 0u || program_busy()) {
        media_ended();
    }
    forgetting = false;
}

#endif
