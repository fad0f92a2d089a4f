/* The controller as the host enables it, disables it and shuts it down; its queues; its events. */
#ifndef DRIVE_CONTROLLER_H
#define DRIVE_CONTROLLER_H

#include "command.h"

/* The host has written CC. */
void controller_changed(void);

/* The host's memory has refused a queue: nothing goes on until a reset. */
void controller_failed(void);

/* Forgets all queues but the admin queue's, all requests and settings. */
void queues_reset(void);
void events_reset(void);
void features_reset(void);

/* Admin commands on queues. */
void queues_create_completion(command *c);
void queues_create_submission(command *c);
void queues_delete_completion(command *c);
void queues_delete_submission(command *c);

/* Whether a submission queue is being deleted: what comes of it is aborted. */
bool queues_deleting(uint32_t queue);

/* Ends deletions that have nothing more to wait for. Returns whether some go on. */
bool queues_delete_more(void);

/* Whether there is an I/O queue, of either kind. */
bool queues_exist(void);

/* Events: requests wait until there is something to tell. */
void events_request(command *c);
void events_doorbell(uint32_t event);
void events_log_read(uint32_t log);
bool events_abort(uint32_t cid);

/* Settings. */
void features_set(command *c);
void features_get(command *c);

/* Logs and structures. */
void logs_get(command *c);
/* Remembers a command that failed; `information` is its own. */
void logs_error(const command *c, uint32_t status, uint64_t information);
void identify(command *c);

#endif
