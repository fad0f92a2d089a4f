#include "command.h"

static command commands[DRIVE_SLOTS];

command *command_in(uint32_t slot)
{
    return &commands[slot];
}

void command_end(const command *c, uint32_t status, uint64_t result)
{
    drive_write64(DRIVE_RESULT, result);
    drive_write(DRIVE_FINISH, drive_put(DRIVE_FINISH_SLOT, c->slot) | drive_put(DRIVE_FINISH_STATUS, status));
}

uint32_t command_fault_status(uint32_t fault)
{
    static const uint32_t statuses[] = {NVME_STATUS_SUCCESS, NVME_STATUS_PRP_OFFSET_INVALID, NVME_STATUS_DATA_TRANSFER_ERROR,
                                        NVME_STATUS_UNRECOVERED_READ_ERROR}; /* MOVED's, and media.h's */
    return statuses[fault & 3u];
}

static void move(command *c, uint32_t kind, uint64_t address, uint32_t dwords, command_step *next)
{
    c->next = next;
    drive_write64(DRIVE_MOVE_ADDRESS, address);
    drive_write(DRIVE_MOVE_DWORDS, dwords);
    drive_write(DRIVE_MOVE, drive_put(DRIVE_MOVE_SLOT, c->slot) | drive_put(DRIVE_MOVE_KIND, kind) |
                                drive_put(DRIVE_MOVE_FINISH, next == NULL));
}

void command_to_host(command *c, uint64_t address, uint32_t dwords, command_step *next)
{
    move(c, DRIVE_KIND_TO_HOST, address, dwords, next);
}

void command_from_host(command *c, uint64_t address, uint32_t dwords, command_step *next)
{
    move(c, DRIVE_KIND_FROM_HOST, address, dwords, next);
}

void command_fill(command *c, uint64_t address, uint32_t dwords, command_step *next)
{
    move(c, DRIVE_KIND_FILL, address, dwords, next);
}

void command_copy(command *c, uint64_t from, uint64_t address, uint32_t dwords, command_step *next)
{
    drive_write64(DRIVE_MOVE_SOURCE, from);
    move(c, DRIVE_KIND_COPY, address, dwords, next);
}

/* state: which part of the page goes to the host. */
static void filled(command *c, uint32_t fault)
{
    if (fault != 0u) {
        command_end(c, NVME_STATUS_INTERNAL_ERROR, 0);
        return;
    }
    c->build(c, 0);
    command_to_host(c, command_answer(c) + c->state[0], c->state[1], NULL);
}

void command_answer_with(command *c, uint32_t offset, uint32_t dwords, command_step *build)
{
    uint32_t page_dwords = DRIVE_UNIT_BYTES / 4u;

    c->state[0] = offset;
    c->state[1] = dwords;
    c->build = build;
    command_fill(c, command_answer(c), offset / 4u + dwords > page_dwords ? 2u * page_dwords : page_dwords, filled);
}

void answer_u64(uint32_t page, uint32_t offset, uint64_t value)
{
    volatile uint32_t *at = (volatile uint32_t *)(uintptr_t)drive_memory(page + offset);
    at[0] = (uint32_t)value;
    at[1] = (uint32_t)(value >> 32);
}

void answer_text(uint32_t page, uint32_t offset, uint32_t size, const char *text)
{
    volatile uint8_t *at = drive_memory(page + offset);
    for (uint32_t i = 0; i < size; i++) {
        at[i] = *text != '\0' ? (uint8_t)*text++ : (uint8_t)' ';
    }
}
