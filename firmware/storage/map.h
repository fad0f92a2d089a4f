/* The map from blocks to units: of each block, its unit and one; DRIVE_MAP_NOWHERE if it reads as zeros, DRIVE_MAP_GONE if it is lost. */
#ifndef DRIVE_MAP_H
#define DRIVE_MAP_H

#include "port.h"

static inline void map_begin(uint32_t op, uint32_t block)
{
    drive_write(DRIVE_MAP_BLOCK, block);
    drive_write(DRIVE_MAP, drive_put(DRIVE_MAP_OP, op));
}

static inline uint32_t map_look(uint32_t block)
{
    map_begin(DRIVE_MAP_LOOK, block);
    return drive_read(DRIVE_MAP_ENTRY);
}

/* What was there before. */
static inline uint32_t map_store(uint32_t block, uint32_t entry)
{
    drive_write(DRIVE_MAP_VALUE, entry);
    map_begin(DRIVE_MAP_STORE, block);
    return drive_read(DRIVE_MAP_ENTRY);
}

/* Stores `entry` if `expected` is there; whether it was. */
static inline bool map_swap(uint32_t block, uint32_t expected, uint32_t entry)
{
    drive_write(DRIVE_MAP_EXPECTED, expected);
    drive_write(DRIVE_MAP_VALUE, entry);
    map_begin(DRIVE_MAP_SWAP, block);
    return drive_read(DRIVE_MAP_ENTRY) == expected;
}

#endif
