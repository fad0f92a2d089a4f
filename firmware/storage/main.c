/* The drive's firmware: one loop, which gives everything that comes to whoever knows what to do. Nothing in it waits. */
#include "compute.h"
#include "controller.h"
#include "media.h"
#include "namespaces.h"

void drive_died(uint32_t cause, uint32_t address);
void drive_died(uint32_t cause, uint32_t address)
{
    drive_write(DRIVE_TRACE, cause);
    drive_write(DRIVE_TRACE, address);
    controller_failed();
}

static void io_command(command *c)
{
    uint32_t nsid = command_get(c, SUBMISSION_NSID);

    if (queues_deleting(c->queue)) {
        command_end(c, NVME_STATUS_ABORTED_SQ_DELETED, 0);
    } else if (nsid == NVME_NAMESPACE_BLOCKS) {
        nvm_command(c);
    } else if (nsid == NVME_NAMESPACE_MEMORY) {
        slm_command(c);
    } else if (nsid == NVME_NAMESPACE_COMPUTE) {
        compute_command(c);
    } else {
        command_end(c, NVME_STATUS_INVALID_NAMESPACE_OR_FORMAT, 0);
    }
}

static void take_command(void)
{
    uint32_t came = drive_read(DRIVE_COMMAND);

    if ((came & DRIVE_COMMAND_VALID_MASK) != 0u) {
        command *c = command_in(drive_get(came, DRIVE_COMMAND_SLOT));

        c->slot = (uint8_t)drive_get(came, DRIVE_COMMAND_SLOT);
        c->queue = (uint8_t)drive_get(came, DRIVE_COMMAND_QUEUE);
        if (command_get(c, SUBMISSION_FUSE) != 0u || command_get(c, SUBMISSION_PSDT) != 0u) {
            command_end(c, NVME_STATUS_INVALID_FIELD, 0);
        } else if (c->queue == 0u) {
            admin_command(c);
        } else {
            io_command(c);
        }
    }
}

static void take_moved(void)
{
    uint32_t moved = drive_read(DRIVE_MOVED);

    if ((moved & DRIVE_MOVED_VALID_MASK) != 0u) {
        command *c = command_in(drive_get(moved, DRIVE_MOVED_SLOT));
        c->next(c, drive_get(moved, DRIVE_MOVED_FAULT));
    }
}

int main(void)
{
    compute_reset();
    media_start();
    queues_reset();
    events_reset();
    features_reset();
    drive_enable_wake(DRIVE_STATUS_COMMAND_MASK | DRIVE_STATUS_MOVED_MASK | DRIVE_STATUS_EVENT_MASK | DRIVE_STATUS_CONTROL_MASK |
                      DRIVE_STATUS_ACCELERATOR_MASK | DRIVE_STATUS_FLASH_MASK);
    for (;;) {
        uint32_t status = drive_read(DRIVE_STATUS);

        if ((status & DRIVE_STATUS_CONTROL_MASK) != 0u) {
            controller_changed();
            continue; /* what else there was may be gone */
        }
        if ((status & DRIVE_STATUS_FAILED_MASK) != 0u) {
            controller_failed();
        }
        if ((status & DRIVE_STATUS_MOVED_MASK) != 0u) {
            take_moved();
        }
        if ((status & DRIVE_STATUS_EVENT_MASK) != 0u) {
            events_doorbell(drive_read(DRIVE_EVENT));
        }
        if ((status & DRIVE_STATUS_FLASH_MASK) != 0u) {
            media_ended();
        }
        if ((status & DRIVE_STATUS_ACCELERATOR_MASK) != 0u) {
            compute_ended();
        }
        if ((status & DRIVE_STATUS_COMMAND_MASK) != 0u) {
            take_command();
        }
        media_work();
        if (!queues_delete_more() && (status & (DRIVE_STATUS_MOVED_MASK | DRIVE_STATUS_EVENT_MASK | DRIVE_STATUS_COMMAND_MASK |
                                                DRIVE_STATUS_FLASH_MASK)) == 0u) {
            drive_sleep();
        }
    }
}
