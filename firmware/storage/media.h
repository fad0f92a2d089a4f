/* Where blocks are: in flash behind a map, or in the device's memory. Blocks are those of the namespace; whoever calls has checked them. */
#ifndef DRIVE_MEDIA_H
#define DRIVE_MEDIA_H

#include "command.h"

#define MEDIA_LOST 3u /* a step's fault: blocks that cannot be read any more */

/* Once, at power on. */
void media_start(void);

/* Carries out a Read or a Write of at most DRIVE_TRANSFER_PAGES blocks, and ends the command. */
void media_transfer(command *c, uint32_t first, uint32_t count, bool write);

/* Makes blocks read as zeros; `next` may be called at once. */
void media_clear(command *c, uint32_t first, uint32_t count, command_step *next);

/* Brings blocks into the device's memory. */
void media_fetch(command *c, uint32_t first, uint32_t count, uint64_t to, command_step *next);

/* A flash operation has ended. */
void media_ended(void);

/* Whatever can begin now. */
void media_work(void);

/* From now on nothing more is done for commands; media_ended() goes on to take what flash has ended. */
void media_forget(void);

/* Forgets commands. What is written to flash goes on. */
void media_reset(void);

#endif
