/* Programs, memory range sets and executions. An execution is a batch of items that lie behind each other in both ranges. */
#include "compute.h"
#include "controller.h"
#include "namespaces.h"
#include "tenon_driver.h"

#define PROGRAM_TYPE 0xC0u

typedef struct {
    uint32_t size;   /* of the whole image, 0: there is none */
    uint32_t loaded; /* bytes of it that have come */
    bool active;
    uint8_t uses; /* executions that run or wait */
    tenon_program opened;
    tenon_image header; /* in the processor's own memory, since every item needs it */
} program;

typedef struct {
    uint32_t base, bytes; /* in the memory namespace */
} range;

typedef struct {
    uint32_t ranges; /* 0: there is no such set */
    uint8_t uses;
    range at[COMPUTE_RANGES];
} range_set;

static tenon_device accelerator;
static program programs[DRIVE_PROGRAM_SLOTS];
static range_set sets[DRIVE_RANGE_SETS]; /* set n is at n - 1 */

/* Executions in the order in which they came; the first one runs. */
static command *queue[DRIVE_SLOTS];
static uint32_t queued;
static bool aborted;     /* the one that runs is to end after its item */
static uint32_t item;    /* of its batch, that runs */
static uint64_t cycles;  /* of those before */

static uint32_t program_at(uint32_t index)
{
    return DRIVE_PROGRAMS_BASE + index * DRIVE_PROGRAM_BYTES;
}

static bool in_namespace(command *c)
{
    if (command_get(c, SUBMISSION_NSID) != NVME_NAMESPACE_COMPUTE) {
        command_end(c, NVME_STATUS_INVALID_NAMESPACE_OR_FORMAT, 0);
        return false;
    }
    return true;
}

/* Load Program. state: program, bytes with this part. */
static void part_came(command *c, uint32_t fault)
{
    program *p = &programs[c->state[0]];

    if (fault == 0u) {
        p->loaded = c->state[1];
    }
    command_end(c, command_fault_status(fault), 0);
}

void compute_load(command *c)
{
    uint32_t index = command_get(c, LOAD_PROGRAM_PIND), size = command_get(c, LOAD_PROGRAM_PSIZE);
    uint32_t bytes = command_get(c, LOAD_PROGRAM_NUMB), offset = command_get(c, LOAD_PROGRAM_LOFF);
    uint32_t status = NVME_STATUS_SUCCESS;
    bool unload = command_get(c, LOAD_PROGRAM_SEL) != 0u;

    if (!in_namespace(c)) {
        return;
    }
    if (index >= DRIVE_PROGRAM_SLOTS) {
        status = NVME_STATUS_INVALID_PROGRAM_INDEX;
    } else if (programs[index].active) {
        status = NVME_STATUS_PROGRAM_IN_USE;
    } else if (unload) {
        status = programs[index].size == 0u ? NVME_STATUS_NO_PROGRAM : NVME_STATUS_SUCCESS;
        programs[index].size = 0;
        programs[index].loaded = 0;
    } else if (command_get(c, LOAD_PROGRAM_PTYPE) != PROGRAM_TYPE) {
        status = NVME_STATUS_INVALID_PROGRAM_TYPE;
    } else if (size > DRIVE_PROGRAM_BYTES) {
        status = NVME_STATUS_PROGRAM_TOO_BIG;
    } else if (bytes == 0u || bytes % 4u != 0u || offset % 4u != 0u || offset > size || bytes > size - offset ||
               bytes > DRIVE_TRANSFER_PAGES * DRIVE_HOST_PAGE_BYTES) {
        status = NVME_STATUS_INVALID_FIELD;
    } else if (offset != 0u && (size != programs[index].size || offset != programs[index].loaded)) {
        status = NVME_STATUS_INVALID_PROGRAM_DATA; /* parts come in order */
    }
    if (status != NVME_STATUS_SUCCESS || unload) {
        command_end(c, status, 0);
        return;
    }
    programs[index].size = size;
    programs[index].loaded = offset;
    c->state[0] = index;
    c->state[1] = offset + bytes;
    command_from_host(c, program_at(index) + offset, bytes / 4u, part_came);
}

/* Program Activation Management. */
static uint32_t activate(uint32_t index)
{
    program *p = &programs[index];
    const void *image = (const void *)(uintptr_t)(DRIVE_DRAM_AT + program_at(index));

    if (p->size == 0u) {
        return NVME_STATUS_NO_PROGRAM;
    }
    if (p->loaded != p->size || tenon_open(&accelerator, &p->opened, image, p->size, program_at(index)) != TENON_OK) {
        return NVME_STATUS_INVALID_PROGRAM_DATA;
    }
    p->header = *p->opened.image;
    p->opened.image = &p->header;
    p->active = true;
    return NVME_STATUS_SUCCESS;
}

void compute_activate(command *c)
{
    uint32_t index = command_get(c, PROGRAM_ACTIVATION_PIND), select = command_get(c, PROGRAM_ACTIVATION_SEL);

    if (!in_namespace(c)) {
        return;
    }
    if (select > 1u) {
        command_end(c, NVME_STATUS_INVALID_FIELD, 0);
    } else if (index >= DRIVE_PROGRAM_SLOTS) {
        command_end(c, NVME_STATUS_INVALID_PROGRAM_INDEX, 0);
    } else if (select == 1u) {
        command_end(c, programs[index].active ? NVME_STATUS_SUCCESS : activate(index), 0);
    } else if (programs[index].uses != 0u) {
        command_end(c, NVME_STATUS_PROGRAM_IN_USE, 0);
    } else {
        command_end(c, programs[index].active ? NVME_STATUS_SUCCESS : NVME_STATUS_PROGRAM_NOT_ACTIVATED, 0);
        programs[index].active = false;
    }
}

/* Memory Range Set Management. state: ranges. */
static uint32_t read_ranges(command *c, range_set *into)
{
    for (uint32_t i = 0; i < c->state[0]; i++) {
        const volatile uint32_t *at =
            (const volatile uint32_t *)(uintptr_t)drive_memory(command_answer(c)) + (size_t)i * (MEMORY_RANGE_BYTES / 4u);
        uint64_t base = at[MEMORY_RANGE_SB_OFFSET / 4u] | (uint64_t)at[MEMORY_RANGE_SB_OFFSET / 4u + 1u] << 32;
        uint32_t bytes = wire_get(at, MEMORY_RANGE_LEN);

        if (wire_get(at, MEMORY_RANGE_MNSID) != NVME_NAMESPACE_MEMORY) {
            return NVME_STATUS_INVALID_MEMORY_NAMESPACE;
        }
        if (bytes == 0u || base % COMPUTE_GRANULE != 0u || bytes % COMPUTE_GRANULE != 0u || base > DRIVE_SLM_BYTES ||
            bytes > DRIVE_SLM_BYTES - base) {
            return NVME_STATUS_INVALID_MEMORY_RANGE_SET;
        }
        for (uint32_t k = 0; k < i; k++) {
            if (base < into->at[k].base + into->at[k].bytes && into->at[k].base < base + bytes) {
                return NVME_STATUS_OVERLAPPING_MEMORY_RANGES;
            }
        }
        into->at[i] = (range){.base = (uint32_t)base, .bytes = bytes};
    }
    into->ranges = c->state[0];
    return NVME_STATUS_SUCCESS;
}

static void ranges_came(command *c, uint32_t fault)
{
    range_set made = {.ranges = 0};
    uint32_t status = fault != 0u ? command_fault_status(fault) : read_ranges(c, &made);

    for (uint32_t i = 0; status == NVME_STATUS_SUCCESS && i < DRIVE_RANGE_SETS; i++) {
        if (sets[i].ranges == 0u) {
            sets[i] = made;
            command_end(c, NVME_STATUS_SUCCESS, i + 1u);
            return;
        }
    }
    command_end(c, status != NVME_STATUS_SUCCESS ? status : NVME_STATUS_MAXIMUM_MEMORY_RANGE_SETS_EXCEEDED, 0);
}

void compute_range_set(command *c)
{
    uint32_t select = command_get(c, MEMORY_RANGE_SET_SEL), ranges = command_get(c, MEMORY_RANGE_SET_NUMR);
    uint32_t set = command_get(c, MEMORY_RANGE_SET_RSID);

    if (!in_namespace(c)) {
        return;
    }
    if (select == 0u) {
        if (ranges < 2u || ranges > COMPUTE_RANGES) {
            command_end(c, ranges < 2u ? NVME_STATUS_INVALID_MEMORY_RANGE_SET : NVME_STATUS_MAXIMUM_MEMORY_RANGES_EXCEEDED, 0);
        } else {
            c->state[0] = ranges;
            command_from_host(c, command_answer(c), ranges * (MEMORY_RANGE_BYTES / 4u), ranges_came);
        }
    } else if (select != 1u) {
        command_end(c, NVME_STATUS_INVALID_FIELD, 0);
    } else if (set == 0u || set > DRIVE_RANGE_SETS || sets[set - 1u].ranges == 0u) {
        command_end(c, NVME_STATUS_INVALID_MEMORY_RANGE_SET_IDENTIFIER, 0);
    } else if (sets[set - 1u].uses != 0u) {
        command_end(c, NVME_STATUS_MEMORY_RANGE_SET_IN_USE, 0);
    } else {
        sets[set - 1u].ranges = 0;
        command_end(c, NVME_STATUS_SUCCESS, 0);
    }
}

/* Execute Program. state: program, set, items. */
static uint32_t rounded(uint32_t bytes)
{
    return (bytes + COMPUTE_GRANULE - 1u) / COMPUTE_GRANULE * COMPUTE_GRANULE;
}

static void open_window(uint32_t window, uint32_t base, uint32_t bytes)
{
    drive_write(DRIVE_WINDOW_BASE + 4u * window, base);
    drive_write(DRIVE_WINDOW_BYTES + 4u * window, bytes);
}

static void start_item(void)
{
    const command *c = queue[0];
    const program *p = &programs[c->state[0]];
    const range_set *set = &sets[c->state[1]];
    const tenon_image *image = p->opened.image;
    uint32_t inputs = rounded(image->inputs_bytes), outputs = rounded(image->outputs_bytes);
    bool own_arena = set->ranges == COMPUTE_RANGES;
    tenon_buffers buffers = {
        .inputs = DRIVE_SLM_BASE + set->at[0].base + item * inputs,
        .outputs = DRIVE_SLM_BASE + set->at[1].base + item * outputs,
        .arena = own_arena ? DRIVE_SLM_BASE + set->at[2].base : DRIVE_ARENA_BASE,
    };

    open_window(DRIVE_WINDOW_CODE, program_at(c->state[0]), rounded(p->size));
    open_window(DRIVE_WINDOW_CONSTANTS, program_at(c->state[0]), rounded(p->size));
    open_window(DRIVE_WINDOW_INPUTS, (uint32_t)buffers.inputs, inputs);
    open_window(DRIVE_WINDOW_ARENA, (uint32_t)buffers.arena, own_arena ? set->at[2].bytes : DRIVE_ARENA_BYTES);
    open_window(DRIVE_WINDOW_OUTPUTS, (uint32_t)buffers.outputs, outputs);
    (void)tenon_start(&accelerator, &p->opened, &buffers, true);
}

static void start_first(void)
{
    item = 0;
    cycles = 0;
    aborted = false;
    if (queued != 0u) {
        start_item();
    }
}

static void leave_queue(uint32_t index, uint32_t status, uint64_t result)
{
    command *c = queue[index];

    programs[c->state[0]].uses--;
    sets[c->state[1]].uses--;
    queued--;
    for (uint32_t i = index; i < queued; i++) {
        queue[i] = queue[i + 1u];
    }
    command_end(c, status, result);
}

void compute_ended(void)
{
    tenon_result result;
    const command *c = queue[0];

    if (!tenon_interrupt(&accelerator) || queued == 0u) {
        return;
    }
    result = tenon_status(&accelerator);
    cycles += tenon_counter(&accelerator, TENON_COUNTER_CYCLES);
    item++;
    if (result != TENON_OK) {
        uint32_t status = (COMPUTE_STATUS_ERROR + result) | 7u << 8 | 1u << 14;

        logs_error(c, status, result | (uint64_t)tenon_index(&accelerator) << 32);
        leave_queue(0, status, cycles);
    } else if (aborted) {
        leave_queue(0, NVME_STATUS_ABORT_REQUESTED, cycles);
    } else if (item < c->state[2]) {
        start_item();
        return;
    } else {
        leave_queue(0, NVME_STATUS_SUCCESS, cycles);
    }
    start_first();
}

static uint32_t check_execution(const command *c, uint32_t index, uint32_t set, uint64_t items)
{
    if (index >= DRIVE_PROGRAM_SLOTS) {
        return NVME_STATUS_INVALID_PROGRAM_INDEX;
    }
    if (command_get(c, EXECUTE_PROGRAM_NUMR) != 0u || command_get(c, EXECUTE_PROGRAM_DLEN) != 0u) {
        return NVME_STATUS_INVALID_FIELD; /* ranges come from a set, parameters in the command */
    }
    if (set == 0u || set > DRIVE_RANGE_SETS || sets[set - 1u].ranges == 0u) {
        return NVME_STATUS_INVALID_MEMORY_RANGE_SET_IDENTIFIER;
    }
    if (programs[index].size == 0u) {
        return NVME_STATUS_NO_PROGRAM;
    }
    if (!programs[index].active) {
        return NVME_STATUS_PROGRAM_NOT_ACTIVATED;
    }
    const tenon_image *image = programs[index].opened.image;
    const range_set *ranges = &sets[set - 1u];
    uint32_t arena = ranges->ranges == COMPUTE_RANGES ? ranges->at[2].bytes : DRIVE_ARENA_BYTES;

    if (items > DRIVE_SLM_BYTES || items * rounded(image->inputs_bytes) > ranges->at[0].bytes ||
        items * rounded(image->outputs_bytes) > ranges->at[1].bytes || image->arena_bytes > arena) {
        return NVME_STATUS_INVALID_MEMORY_RANGE_SET;
    }
    return NVME_STATUS_SUCCESS;
}

static void execute(command *c)
{
    uint32_t index = command_get(c, EXECUTE_PROGRAM_PIND), set = command_get(c, EXECUTE_PROGRAM_RSID);
    uint64_t items = command_u64(c, EXECUTE_PROGRAM_CPARAM1_OFFSET);
    uint32_t status = check_execution(c, index, set, items == 0u ? 1u : items);

    if (status != NVME_STATUS_SUCCESS) {
        command_end(c, status, 0);
        return;
    }
    c->state[0] = index;
    c->state[1] = set - 1u;
    c->state[2] = items == 0u ? 1u : (uint32_t)items;
    programs[index].uses++;
    sets[set - 1u].uses++;
    queue[queued++] = c;
    if (queued == 1u) {
        start_first();
    }
}

void compute_command(command *c)
{
    uint32_t opcode = command_get(c, SUBMISSION_OPCODE);

    if (opcode == NVME_OPCODE_EXECUTE_PROGRAM) {
        execute(c);
    } else {
        command_end(c, opcode == NVME_OPCODE_FLUSH ? NVME_STATUS_SUCCESS : NVME_STATUS_INVALID_OPCODE, 0);
    }
}

bool compute_abort(uint32_t from, uint32_t cid)
{
    for (uint32_t i = 0; i < queued; i++) {
        if (queue[i]->queue == from && command_get(queue[i], SUBMISSION_CID) == cid) {
            if (i == 0u) {
                aborted = true;
            } else {
                leave_queue(i, NVME_STATUS_ABORT_REQUESTED, 0);
            }
            return true;
        }
    }
    return false;
}

void compute_reset(void)
{
    (void)tenon_probe(&accelerator, (uintptr_t)DRIVE_ACCELERATOR_AT);
    tenon_reset(&accelerator);
    while (tenon_status(&accelerator) == TENON_BUSY) {
    }
    queued = 0;
    for (uint32_t i = 0; i < DRIVE_PROGRAM_SLOTS; i++) {
        programs[i] = (program){.size = 0};
    }
    for (uint32_t i = 0; i < DRIVE_RANGE_SETS; i++) {
        sets[i] = (range_set){.ranges = 0};
    }
}
