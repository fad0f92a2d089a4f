/* Superblocks: how many of their units are valid, by what the map says. */
#include "ftl.h"

#if !DRIVE_RAM_BLOCKS

superblock superblocks[DRIVE_SUPERBLOCKS];
uint32_t free_superblocks;

/* An entry has changed. */
static void count_valid(uint32_t before, uint32_t after)
{
    if (is_unit(before)) {
        superblocks[(before - 1u) / SUPERBLOCK_UNITS].valid--;
    }
    if (is_unit(after)) {
        superblocks[(after - 1u) / SUPERBLOCK_UNITS].valid++;
    }
}

void point(uint32_t block, uint32_t entry)
{
    count_valid(map_store(block, entry), entry);
}

bool point_from(uint32_t block, uint32_t expected, uint32_t entry)
{
    bool swapped = map_swap(block, expected, entry);

    if (swapped) {
        count_valid(expected, entry);
    }
    return swapped;
}

#endif
