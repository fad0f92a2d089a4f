/* Reads that hardware carries out by itself. Those that do not go well come to firmware like any other command. */
#ifndef DRIVE_FAST_H
#define DRIVE_FAST_H

#include "port.h"

void fast_enable(bool on);

/* Lookups from now on are of this epoch, 0 or 1. */
void fast_set_epoch(uint32_t epoch);

/* Whether some that were looked up in the other one have not been read. */
static inline bool fast_old(void)
{
    return (drive_read(DRIVE_FAST) & DRIVE_FAST_OLD_MASK) != 0u;
}

#endif
