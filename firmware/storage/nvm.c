/* The NVM command set. */
#include "media.h"
#include "namespaces.h"

static bool inside(uint64_t first, uint64_t count)
{
    return first < DRIVE_UNITS && count <= DRIVE_UNITS - first;
}

static void transfer(command *c, bool write)
{
    uint64_t first = command_u64(c, READ_SLBA_OFFSET);
    uint32_t count = command_get(c, READ_NLB) + 1u;

    if (count > DRIVE_TRANSFER_PAGES) {
        command_end(c, NVME_STATUS_INVALID_FIELD, 0);
    } else if (!inside(first, count)) {
        command_end(c, NVME_STATUS_LBA_OUT_OF_RANGE, 0);
    } else {
        media_transfer(c, (uint32_t)first, count, write);
    }
}

static void write_zeroes(command *c)
{
    uint64_t first = command_u64(c, WRITE_ZEROES_SLBA_OFFSET);
    uint32_t count = command_get(c, WRITE_ZEROES_NLB) + 1u;

    if (!inside(first, count)) {
        command_end(c, NVME_STATUS_LBA_OUT_OF_RANGE, 0);
    } else {
        media_clear(c, (uint32_t)first, count, NULL);
    }
}

/* state: ranges that were done, ranges in all. */
static void deallocate_next(command *c, uint32_t fault)
{
    while (fault == 0u && c->state[0] < c->state[1]) {
        const volatile uint32_t *range = (const volatile uint32_t *)(uintptr_t)drive_memory(command_answer(c)) +
                                         (size_t)c->state[0]++ * (DATASET_RANGE_BYTES / 4u);
        uint32_t blocks = wire_get(range, DATASET_RANGE_NLB);
        uint64_t first = range[DATASET_RANGE_SLBA_OFFSET / 4u] | (uint64_t)range[DATASET_RANGE_SLBA_OFFSET / 4u + 1u] << 32;

        if (blocks == 0u) {
            continue;
        }
        if (!inside(first, blocks)) {
            command_end(c, NVME_STATUS_LBA_OUT_OF_RANGE, 0);
            return;
        }
        media_clear(c, (uint32_t)first, blocks, deallocate_next);
        return;
    }
    command_end(c, command_fault_status(fault), 0);
}

static void dataset_management(command *c)
{
    uint32_t ranges = command_get(c, DATASET_MANAGEMENT_NR) + 1u;

    c->state[0] = command_get(c, DATASET_MANAGEMENT_AD) != 0u ? 0u : ranges; /* hints alone are not followed */
    c->state[1] = ranges;
    command_from_host(c, command_answer(c), ranges * (DATASET_RANGE_BYTES / 4u), deallocate_next);
}

void nvm_command(command *c)
{
    switch (command_get(c, SUBMISSION_OPCODE)) {
    case NVME_OPCODE_FLUSH:
        command_end(c, NVME_STATUS_SUCCESS, 0); /* what is completed is where it stays */
        break;
    case NVME_OPCODE_WRITE:
        transfer(c, true);
        break;
    case NVME_OPCODE_READ:
        transfer(c, false);
        break;
    case NVME_OPCODE_WRITE_ZEROES:
        write_zeroes(c);
        break;
    case NVME_OPCODE_DATASET_MANAGEMENT:
        dataset_management(c);
        break;
    default:
        command_end(c, NVME_STATUS_INVALID_OPCODE, 0);
        break;
    }
}
