/* Asynchronous events: told to the host once each, until it reads the log that has more (NVM Express Base Specification 2.2, 5.1.2). */
#include "controller.h"

#define REQUESTS 4u

static command *requests[REQUESTS];
static uint32_t count;
static bool told;    /* an error event was told, and its log was not read */
static bool waiting; /* one is to be told */
static uint32_t information;

void events_reset(void)
{
    count = 0;
    told = false;
    waiting = false;
}

static void tell(void)
{
    if (waiting && !told && count != 0u) {
        command_end(requests[--count], NVME_STATUS_SUCCESS, NVME_EVENT_ERROR | information << 8 | NVME_LOG_ERROR << 16);
        waiting = false;
        told = true;
    }
}

void events_request(command *c)
{
    if (count == REQUESTS) {
        command_end(c, NVME_STATUS_ASYNC_EVENT_LIMIT_EXCEEDED, 0);
        return;
    }
    requests[count++] = c;
    tell();
}

void events_doorbell(uint32_t event)
{
    information = drive_get(event, DRIVE_EVENT_VALUE);
    waiting = true;
    tell();
}

void events_log_read(uint32_t log)
{
    if (log == NVME_LOG_ERROR) {
        told = false;
        tell();
    }
}

bool events_abort(uint32_t cid)
{
    for (uint32_t i = 0; i < count; i++) {
        if (command_get(requests[i], SUBMISSION_CID) == cid) {
            command_end(requests[i], NVME_STATUS_ABORT_REQUESTED, 0);
            requests[i] = requests[--count];
            return true;
        }
    }
    return false;
}
