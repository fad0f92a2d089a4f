/* The parts of the flash translation layer: superblocks, what is programmed, collection, power on. */
#ifndef DRIVE_FTL_H
#define DRIVE_FTL_H

#include "flash.h"
#include "map.h"
#include "media.h"

#if !DRIVE_RAM_BLOCKS

#define NOBODY 0u /* in owners */

/* Tags: what an operation was for, and which. */
#define FOR_READ 0u
#define FOR_MOVE 1u
#define FOR_PAGE 2u
#define FOR_ERASE 3u
#define TAG_KIND_SHIFT 13u
#define TAG_INDEX 0xFFFu

#define HOST_LEAVES 2u              /* free superblocks: with fewer, what is open is for what is moved alone, and one may fail */
#define FREE_LOW (HOST_LEAVES + 2u) /* with fewer, collection begins */

/* Superblocks, and the map with how many units of each are valid. */

typedef enum { FREE, OPEN, CLOSED, BAD } superblock_state;

typedef struct {
    uint32_t valid;
    uint8_t state;
    bool failed; /* not to be used again */
} superblock;

extern superblock superblocks[DRIVE_SUPERBLOCKS];
extern uint32_t free_superblocks;

/* Of a unit of flash, the block that was written there, and one; NOBODY. */
static inline volatile uint32_t *owner(uint32_t unit)
{
    return (volatile uint32_t *)(uintptr_t)drive_memory(DRIVE_OWNERS_BASE) + unit;
}

/* Whether an entry of the map names a unit: itself less one. */
static inline bool is_unit(uint32_t entry)
{
    return entry != DRIVE_MAP_NOWHERE && entry != DRIVE_MAP_GONE;
}

void point(uint32_t block, uint32_t entry);

/* If the block is still where it was; whether it is. */
bool point_from(uint32_t block, uint32_t expected, uint32_t entry);

/* Where a command's blocks are on their way to flash or from it. */
static inline uint32_t buffer(const command *c)
{
    return DRIVE_BUFFERS_BASE + c->slot * (DRIVE_TRANSFER_PAGES * DRIVE_UNIT_BYTES);
}

/* What is to be programmed. */

typedef struct {
    uint32_t block;
    uint32_t from;     /* in the device's memory */
    uint32_t old;      /* moved: the map must still say so */
    uint64_t sequence; /* moved: as it was, for what is newer is newer wherever it lies */
    command *c;        /* null: moved, or its command is forgotten */
    bool moved;
} job;

void program_start(uint64_t next_sequence);

/* What is moved, or is to be programmed again, goes before what the host writes. */
void program_unit(const job *j);
void program_blocks(command *c);

/* Begins what can begin; a page has ended. */
void program_more(void);
void program_ended(uint32_t index, uint32_t status);

/* Whether pages are under way: any, of this superblock. */
bool program_busy(void);
bool program_busy_in(uint32_t at);

/* Forgets commands; what is under way goes on. */
void program_forget(void);

/* Collection. */

void collect(void);
void collect_read(uint32_t index, uint32_t status);
void collect_moved(const job *j);
void collect_erased(uint32_t status);

/* Whether units are read that will come to be programmed. */
bool collect_reads(void);

/* Power on: finds what there is; the sequence of the next unit. */
uint64_t scan_all(void);

#endif

#endif
