/* Settings (NVM Express Base Specification 2.2, section 5.1.25). */
#include "controller.h"
#include "fast.h"

typedef struct {
    uint8_t id;
    bool changeable;
    uint32_t initial;
    uint32_t mask; /* bits that a host may set */
} feature;

#define QUEUES_OFFERED ((DRIVE_QUEUES - 1u) | (DRIVE_QUEUES - 1u) << 16)

static const feature features[] = {
    {NVME_FEATURE_ARBITRATION, true, 7u, 0xFFFFFF07u},
    {NVME_FEATURE_POWER_MANAGEMENT, true, 0u, 0x0u},
    {NVME_FEATURE_TEMPERATURE_THRESHOLD, true, 0x157u, 0xFFFFu},
    {NVME_FEATURE_NUMBER_OF_QUEUES, true, QUEUES_OFFERED, 0u},
    {NVME_FEATURE_INTERRUPT_COALESCING, true, 0u, 0xFFFFu},
    {NVME_FEATURE_INTERRUPT_VECTOR, true, 0u, 0x1FFFFu},
    {NVME_FEATURE_WRITE_ATOMICITY, true, 0u, 1u},
    {NVME_FEATURE_ASYNC_EVENTS, true, 0u, 0xFFFFFFFFu},
    {NVME_FEATURE_COMMAND_SET_PROFILE, false, 0u, 0u},
    {NVME_FEATURE_FAST_READS, true, 1u, 1u},
};
#define FEATURES (sizeof features / sizeof features[0])

static uint32_t values[FEATURES];

void features_reset(void)
{
    for (size_t i = 0; i < FEATURES; i++) {
        values[i] = features[i].initial;
    }
    fast_enable(true);
}

static size_t find(uint32_t id)
{
    size_t i = 0;
    while (i < FEATURES && features[i].id != id) {
        i++;
    }
    return i;
}

void features_set(command *c)
{
    size_t at = find(command_get(c, SET_FEATURES_FID));
    uint32_t value = command_get(c, SET_FEATURES_VALUE);

    if (at == FEATURES) {
        command_end(c, NVME_STATUS_INVALID_FIELD, 0);
    } else if (command_get(c, SET_FEATURES_SV) != 0u) {
        command_end(c, NVME_STATUS_FEATURE_NOT_SAVEABLE, 0);
    } else if (!features[at].changeable) {
        command_end(c, NVME_STATUS_FEATURE_NOT_CHANGEABLE, 0);
    } else if (features[at].id == NVME_FEATURE_NUMBER_OF_QUEUES) {
        uint32_t submissions = value & 0xFFFFu, completions = value >> 16;

        if (queues_exist()) {
            command_end(c, NVME_STATUS_COMMAND_SEQUENCE_ERROR, 0);
        } else if (submissions == 0xFFFFu || completions == 0xFFFFu) {
            command_end(c, NVME_STATUS_INVALID_FIELD, 0);
        } else {
            command_end(c, NVME_STATUS_SUCCESS, QUEUES_OFFERED);
        }
    } else if ((value & ~features[at].mask) != 0u) {
        command_end(c, NVME_STATUS_INVALID_FIELD, 0);
    } else {
        values[at] = value;
        if (features[at].id == NVME_FEATURE_FAST_READS) {
            fast_enable(value != 0u);
        }
        command_end(c, NVME_STATUS_SUCCESS, 0);
    }
}

void features_get(command *c)
{
    size_t at = find(command_get(c, GET_FEATURES_FID));
    uint32_t select = command_get(c, GET_FEATURES_SEL);

    if (at == FEATURES || select > 3u) {
        command_end(c, NVME_STATUS_INVALID_FIELD, 0);
    } else if (select == 3u) {
        command_end(c, NVME_STATUS_SUCCESS, features[at].changeable ? 4u : 0u);
    } else {
        command_end(c, NVME_STATUS_SUCCESS, select == 0u ? values[at] : features[at].initial);
    }
}
