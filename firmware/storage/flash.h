/* Operations of flash, by units: unit n of all lies in superblock n / SUPERBLOCK_UNITS, whose pages are striped over all dies. */
#ifndef DRIVE_FLASH_H
#define DRIVE_FLASH_H

#include "port.h"

#define SUPERBLOCK_PAGES (DRIVE_PAGES * DRIVE_ALL_DIES)
#define SUPERBLOCK_UNITS (SUPERBLOCK_PAGES * DRIVE_PAGE_UNITS)

static inline void flash_begin(uint32_t op, uint32_t tag, uint32_t unit, uint64_t address, bool more)
{
    uint32_t die = unit / DRIVE_PAGE_UNITS % DRIVE_ALL_DIES;

    drive_write(DRIVE_FLASH_ROW, unit / (DRIVE_PAGE_UNITS * DRIVE_ALL_DIES)); /* superblock * pages + page: its block has its number */
    drive_write64(DRIVE_FLASH_ADDRESS, address);
    drive_write(DRIVE_FLASH, drive_put(DRIVE_FLASH_TAG, tag) | drive_put(DRIVE_FLASH_CHANNEL, die % DRIVE_CHANNELS) |
                                 drive_put(DRIVE_FLASH_DIE, die / DRIVE_CHANNELS) | drive_put(DRIVE_FLASH_OP, op) |
                                 drive_put(DRIVE_FLASH_UNIT, unit % DRIVE_PAGE_UNITS) | drive_put(DRIVE_FLASH_MORE, more));
}

#endif
