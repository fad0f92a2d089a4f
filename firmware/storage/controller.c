/* Enabling, disabling and shutting down (NVM Express Base Specification 2.2, sections 3.5 and 3.6). */
#include "compute.h"
#include "controller.h"
#include "media.h"

#define CC_EN 1u
#define READY 1u
#define FAILED 2u
#define SHUT_DOWN (2u << 2)

static bool enabled;
static bool shut;

/* Nothing new begins; then queues and commands are forgotten. */
static void forget(void)
{
    drive_write(DRIVE_FRONT, DRIVE_FRONT_HOLD_MASK);
    media_forget();
    do {
        media_ended();
        (void)drive_read(DRIVE_MOVED);
        (void)drive_read(DRIVE_COMMAND);
    } while ((drive_read(DRIVE_STATUS) & DRIVE_STATUS_QUIET_MASK) == 0u);
    drive_write(DRIVE_FRONT, DRIVE_FRONT_HOLD_MASK | DRIVE_FRONT_RESET_MASK);
    while ((drive_read(DRIVE_EVENT) & DRIVE_EVENT_VALID_MASK) != 0u) {
    }
    compute_reset();
    media_reset();
    queues_reset();
    events_reset();
    features_reset();
    drive_write(DRIVE_FRONT, 0);
}

static void make_admin_queue(bool completion, uint64_t base, uint32_t last)
{
    drive_write64(DRIVE_QUEUE_BASE, base);
    drive_write(DRIVE_QUEUE_LAST, last);
    drive_write(DRIVE_QUEUE, drive_put(DRIVE_QUEUE_COMPLETION, completion) | DRIVE_QUEUE_ENABLE_MASK |
                                 drive_put(DRIVE_QUEUE_INTERRUPT, completion));
}

static bool acceptable(uint32_t cc, uint32_t aqa)
{
    uint32_t sets = cc >> CONTROLLER_REGISTERS_CC_CSS_SHIFT & CONTROLLER_REGISTERS_CC_CSS_MASK;

    return (cc >> CONTROLLER_REGISTERS_CC_MPS_SHIFT & CONTROLLER_REGISTERS_CC_MPS_MASK) == 0u &&
           (cc >> CONTROLLER_REGISTERS_CC_AMS_SHIFT & CONTROLLER_REGISTERS_CC_AMS_MASK) == 0u && (sets == 0u || sets >= 6u) &&
           (aqa & CONTROLLER_REGISTERS_AQA_ASQS_MASK) != 0u &&
           (aqa >> CONTROLLER_REGISTERS_AQA_ACQS_SHIFT & CONTROLLER_REGISTERS_AQA_ACQS_MASK) != 0u;
}

void controller_changed(void)
{
    uint32_t cc;

    drive_write(DRIVE_STATUS, DRIVE_STATUS_CONTROL_MASK);
    cc = drive_read(DRIVE_CC);
    if ((cc & CC_EN) == 0u && (enabled || drive_read(DRIVE_CSTS) != 0u)) {
        forget();
        enabled = false;
        shut = false;
        drive_write(DRIVE_CSTS, 0);
    } else if ((cc & CC_EN) != 0u && !enabled) {
        uint32_t aqa = drive_read(DRIVE_AQA);

        enabled = true;
        if (!acceptable(cc, aqa)) {
            drive_write(DRIVE_CSTS, FAILED);
            return;
        }
        make_admin_queue(true, drive_read64(DRIVE_ACQ), aqa >> CONTROLLER_REGISTERS_AQA_ACQS_SHIFT & CONTROLLER_REGISTERS_AQA_ACQS_MASK);
        make_admin_queue(false, drive_read64(DRIVE_ASQ), aqa & CONTROLLER_REGISTERS_AQA_ASQS_MASK);
        drive_write(DRIVE_CSTS, READY);
    }
    if ((cc >> CONTROLLER_REGISTERS_CC_SHN_SHIFT & CONTROLLER_REGISTERS_CC_SHN_MASK) != 0u && !shut) {
        shut = true; /* what was written is where it stays */
        drive_write(DRIVE_CSTS, drive_read(DRIVE_CSTS) | SHUT_DOWN);
    }
}

void controller_failed(void)
{
    drive_write(DRIVE_CSTS, drive_read(DRIVE_CSTS) | FAILED);
}
