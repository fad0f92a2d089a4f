/* Blocks in the device's memory. */
#include "map.h"
#include "media.h"

#if DRIVE_RAM_BLOCKS

#define UNIT_DWORDS (DRIVE_UNIT_BYTES / 4u)

static uint64_t place(uint32_t block)
{
    return DRIVE_BLOCKS_BASE + (uint64_t)block * DRIVE_UNIT_BYTES;
}

void media_start(void)
{
    drive_fill(DRIVE_MAP_BASE, DRIVE_MAP_BYTES);
}

/* A block has its own place: hardware may look for it there from the first write on. */
static void written(command *c, uint32_t fault)
{
    for (uint32_t i = 0; i < c->media_count && fault == 0u; i++) {
        (void)map_store(c->media_first + i, c->media_first + i + 1u);
    }
    command_end(c, command_fault_status(fault), 0);
}

void media_transfer(command *c, uint32_t first, uint32_t count, bool write)
{
    c->media_first = first;
    c->media_count = count;
    if (write) {
        command_from_host(c, place(first), count * UNIT_DWORDS, written);
    } else {
        command_to_host(c, place(first), count * UNIT_DWORDS, NULL);
    }
}

void media_clear(command *c, uint32_t first, uint32_t count, command_step *next)
{
    command_fill(c, place(first), count * UNIT_DWORDS, next);
}

void media_fetch(command *c, uint32_t first, uint32_t count, uint64_t to, command_step *next)
{
    command_copy(c, place(first), to, count * UNIT_DWORDS, next);
}

void media_ended(void)
{
}

void media_work(void)
{
}

void media_forget(void)
{
}

void media_reset(void)
{
}

#endif
