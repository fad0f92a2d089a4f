/* The Subsystem Local Memory command set: bytes of the device's memory. */
#include "media.h"
#include "namespaces.h"

#define SOURCE_BYTES COPY_SOURCE_BLOCKS_BYTES /* of every format */
#define MOST_SOURCES (DRIVE_UNIT_BYTES / SOURCE_BYTES)

static bool inside(uint64_t first, uint64_t bytes)
{
    return first <= DRIVE_SLM_BYTES && bytes <= DRIVE_SLM_BYTES - first;
}

static void transfer(command *c, uint32_t opcode)
{
    uint64_t first = command_u64(c, MEMORY_READ_SB_OFFSET);
    uint32_t bytes = command_get(c, MEMORY_READ_LENGTH);

    if (first % 4u != 0u || bytes % 4u != 0u || !inside(first, bytes) ||
        (opcode != NVME_OPCODE_MEMORY_FILL && bytes > DRIVE_TRANSFER_PAGES * DRIVE_HOST_PAGE_BYTES)) {
        command_end(c, NVME_STATUS_INVALID_FIELD, 0);
    } else if (bytes == 0u) {
        command_end(c, NVME_STATUS_SUCCESS, 0);
    } else if (opcode == NVME_OPCODE_MEMORY_READ) {
        command_to_host(c, DRIVE_SLM_BASE + first, bytes / 4u, NULL);
    } else if (opcode == NVME_OPCODE_MEMORY_WRITE) {
        command_from_host(c, DRIVE_SLM_BASE + first, bytes / 4u, NULL);
    } else {
        command_fill(c, DRIVE_SLM_BASE + first, bytes / 4u, NULL);
    }
}

/* A source of Memory Copy: its first block, or where it lies in the device's memory; how long it is; or why not. */
static uint32_t source(command *c, uint32_t index, uint64_t *from, uint64_t *bytes)
{
    const volatile uint32_t *at = (const volatile uint32_t *)(uintptr_t)drive_memory(command_answer(c)) + (size_t)index * (SOURCE_BYTES / 4u);
    uint32_t format = command_get(c, MEMORY_COPY_FORMAT), nsid = wire_get(at, COPY_SOURCE_BLOCKS_SNSID);
    uint64_t first = at[COPY_SOURCE_BLOCKS_SLBA_OFFSET / 4u] | (uint64_t)at[COPY_SOURCE_BLOCKS_SLBA_OFFSET / 4u + 1u] << 32;

    if (nsid == 0u || nsid > DRIVE_NAMESPACES) {
        return NVME_STATUS_INVALID_NAMESPACE_OR_FORMAT;
    }
    if (format == 4u) {
        *bytes = wire_get(at, COPY_SOURCE_BYTES_NBYTE);
        *from = DRIVE_SLM_BASE + first;
        if (nsid != NVME_NAMESPACE_MEMORY) {
            return NVME_STATUS_INCOMPATIBLE_NAMESPACE;
        }
        return first % 4u == 0u && *bytes % 4u == 0u && inside(first, *bytes) ? NVME_STATUS_SUCCESS : NVME_STATUS_INVALID_FIELD;
    }
    *bytes = ((uint64_t)wire_get(at, COPY_SOURCE_BLOCKS_NLB) + 1u) * DRIVE_UNIT_BYTES;
    *from = first;
    if (nsid != NVME_NAMESPACE_BLOCKS) {
        return NVME_STATUS_INCOMPATIBLE_NAMESPACE;
    }
    return first < DRIVE_UNITS && *bytes / DRIVE_UNIT_BYTES <= DRIVE_UNITS - first ? NVME_STATUS_SUCCESS : NVME_STATUS_LBA_OUT_OF_RANGE;
}

/* state: sources that were copied, sources in all, where the next one goes. */
static void copy_next(command *c, uint32_t fault)
{
    uint64_t from, bytes;

    while (fault == 0u && c->state[0] < c->state[1]) {
        (void)source(c, c->state[0]++, &from, &bytes); /* looked at before */
        if (bytes != 0u) {
            uint32_t to = c->state[2];

            c->state[2] += (uint32_t)bytes;
            if (command_get(c, MEMORY_COPY_FORMAT) == 4u) {
                command_copy(c, from, DRIVE_SLM_BASE + to, (uint32_t)(bytes / 4u), copy_next);
            } else {
                media_fetch(c, (uint32_t)from, (uint32_t)(bytes / DRIVE_UNIT_BYTES), DRIVE_SLM_BASE + to, copy_next);
            }
            return;
        }
    }
    command_end(c, command_fault_status(fault), 0);
}

/* Nothing is copied unless all of it can be. */
static void copy_check(command *c, uint32_t fault)
{
    uint64_t to = command_u64(c, MEMORY_COPY_SDADDR_OFFSET), length = command_u64(c, MEMORY_COPY_LENGTH_OFFSET), sum = 0, from, bytes;
    uint32_t status = command_fault_status(fault);

    for (uint32_t i = 0; status == NVME_STATUS_SUCCESS && i < c->state[1]; i++) {
        status = source(c, i, &from, &bytes);
        sum += bytes;
    }
    if (status == NVME_STATUS_SUCCESS && (sum != length || to % 4u != 0u || !inside(to, length))) {
        status = NVME_STATUS_INVALID_FIELD;
    }
    for (uint32_t i = 0; status == NVME_STATUS_SUCCESS && i < c->state[1]; i++) {
        (void)source(c, i, &from, &bytes);
        if (command_get(c, MEMORY_COPY_FORMAT) == 4u && from < DRIVE_SLM_BASE + to + length && DRIVE_SLM_BASE + to < from + bytes) {
            status = NVME_STATUS_OVERLAPPING_RANGE;
        }
    }
    if (status != NVME_STATUS_SUCCESS) {
        command_end(c, status, 0);
        return;
    }
    c->state[0] = 0;
    c->state[2] = (uint32_t)to;
    copy_next(c, 0);
}

static void copy(command *c)
{
    uint32_t format = command_get(c, MEMORY_COPY_FORMAT), sources = command_get(c, MEMORY_COPY_NR) + 1u;

    if (format < 2u || format > 4u || sources > MOST_SOURCES) {
        command_end(c, NVME_STATUS_INVALID_FIELD, 0);
        return;
    }
    c->state[1] = sources;
    command_from_host(c, command_answer(c), sources * (SOURCE_BYTES / 4u), copy_check);
}

void slm_command(command *c)
{
    uint32_t opcode = command_get(c, SUBMISSION_OPCODE);

    if (opcode == NVME_OPCODE_MEMORY_COPY) {
        copy(c);
    } else if (opcode == NVME_OPCODE_MEMORY_READ || opcode == NVME_OPCODE_MEMORY_WRITE || opcode == NVME_OPCODE_MEMORY_FILL) {
        transfer(c, opcode);
    } else if (opcode == NVME_OPCODE_FLUSH) {
        command_end(c, NVME_STATUS_SUCCESS, 0); /* every set has it */
    } else {
        command_end(c, NVME_STATUS_INVALID_OPCODE, 0);
    }
}
