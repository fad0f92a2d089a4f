/* The Computational Programs command set: programs are images of the compiler's, memory ranges are of the memory namespace. */
#ifndef DRIVE_COMPUTE_H
#define DRIVE_COMPUTE_H

#include "command.h"

#define COMPUTE_RANGES 3u                    /* of a set: inputs, outputs, and perhaps an arena */
#define COMPUTE_GRANULE 64u                  /* of memory ranges, and of the items of a batch in them: bytes */
#define COMPUTE_STATUS_ERROR 0xC0u           /* vendor's code of an accelerator's error, which is added to it */

/* Admin commands. */
void compute_load(command *c);
void compute_activate(command *c);
void compute_range_set(command *c);

/* I/O commands. */
void compute_command(command *c);

/* The accelerator's interrupt. */
void compute_ended(void);

/* Ends an execution that has not begun, or after the item that runs. */
bool compute_abort(uint32_t queue, uint32_t cid);

/* Stops what runs and forgets what waits, programs and range sets. */
void compute_reset(void);

#endif
