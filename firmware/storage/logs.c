/* Logs (NVM Express Base Specification 2.2, section 5.1.12). */
#include "controller.h"
#include "namespaces.h"

#define ERRORS 8u

typedef struct {
    uint64_t count;
    uint64_t information;
    uint32_t status;
    uint32_t nsid;
    uint16_t cid;
    uint8_t queue;
} error;

static error errors[ERRORS]; /* the newest at `errors_seen % ERRORS`, less one */
static uint64_t errors_seen;

void logs_error(const command *c, uint32_t status, uint64_t information)
{
    error *e = &errors[errors_seen % ERRORS];

    errors_seen++;
    *e = (error){.count = errors_seen, .information = information, .status = status, .nsid = command_get(c, SUBMISSION_NSID),
                 .cid = (uint16_t)command_get(c, SUBMISSION_CID), .queue = c->queue};
}

static void error_log(command *c, uint32_t fault)
{
    uint32_t at = command_answer(c);

    (void)fault;
    for (uint64_t back = 0; back < ERRORS && back < errors_seen; back++) {
        const error *e = &errors[(errors_seen - 1u - back) % ERRORS];

        answer_u64(at, ERROR_ENTRY_COUNT_OFFSET, e->count);
        answer_put(at, ERROR_ENTRY_SQID, e->queue);
        answer_put(at, ERROR_ENTRY_CID, e->cid);
        answer_put(at, ERROR_ENTRY_STATUS, e->status << 1);
        answer_put(at, ERROR_ENTRY_NSID, e->nsid);
        answer_u64(at, ERROR_ENTRY_INFORMATION_OFFSET, e->information);
        at += ERROR_ENTRY_BYTES;
    }
}

static void smart_log(command *c, uint32_t fault)
{
    uint32_t at = command_answer(c);

    (void)fault;
    answer_bits(at, 0, 8, 0xFFu, 0x2Fu); /* 303 K, across two halves */
    answer_bits(at, 0, 16, 0xFFu, 0x01u);
    answer_put(at, SMART_AVAILABLE_SPARE, 100);
    answer_put(at, SMART_SPARE_THRESHOLD, 10);
    answer_u64(at, SMART_ERROR_ENTRIES_OFFSET, errors_seen);
}

static void firmware_log(command *c, uint32_t fault)
{
    (void)fault;
    drive_memory(command_answer(c))[0] = 1; /* the slot that runs */
    answer_text(command_answer(c), 8, 8, "1.0");
}

static void effect(uint32_t page, uint32_t group, uint32_t opcode, uint32_t changes)
{
    answer_bits(page, group + opcode, 0, 0xFFFFFFFFu, 1u << COMMAND_EFFECT_CSUPP_SHIFT | changes << COMMAND_EFFECT_LBCC_SHIFT);
}

static void effects_log(command *c, uint32_t fault)
{
    static const uint8_t admin[] = {NVME_OPCODE_DELETE_SQ, NVME_OPCODE_CREATE_SQ, NVME_OPCODE_GET_LOG_PAGE, NVME_OPCODE_DELETE_CQ,
                                    NVME_OPCODE_CREATE_CQ, NVME_OPCODE_IDENTIFY, NVME_OPCODE_ABORT, NVME_OPCODE_SET_FEATURES,
                                    NVME_OPCODE_GET_FEATURES, NVME_OPCODE_ASYNC_EVENT_REQUEST, NVME_OPCODE_LOAD_PROGRAM,
                                    NVME_OPCODE_PROGRAM_ACTIVATION, NVME_OPCODE_MEMORY_RANGE_SET};
    uint32_t page = command_answer(c), io = 256u, set = command_get(c, GET_LOG_PAGE_CSI);

    (void)fault;
    for (size_t i = 0; i < sizeof admin; i++) {
        effect(page, 0, admin[i], 0);
    }
    if (set == NVME_CSI_NVM) {
        effect(page, io, NVME_OPCODE_FLUSH, 0);
        effect(page, io, NVME_OPCODE_WRITE, 1);
        effect(page, io, NVME_OPCODE_READ, 0);
        effect(page, io, NVME_OPCODE_WRITE_ZEROES, 1);
        effect(page, io, NVME_OPCODE_DATASET_MANAGEMENT, 1);
    } else if (set == NVME_CSI_COMPUTE) {
        effect(page, io, NVME_OPCODE_EXECUTE_PROGRAM, 0);
    } else {
        effect(page, io, NVME_OPCODE_MEMORY_COPY, 1);
        effect(page, io, NVME_OPCODE_MEMORY_READ, 0);
        effect(page, io, NVME_OPCODE_MEMORY_FILL, 1);
        effect(page, io, NVME_OPCODE_MEMORY_WRITE, 1);
    }
}

static void counters_log(command *c, uint32_t fault)
{
    (void)fault;
    for (uint32_t i = 0; i < DRIVE_COUNTERS_COUNT; i++) { /* in the order of the structure's fields */
        answer_u64(command_answer(c), 8u * i, drive_read(DRIVE_COUNTERS + 4u * i));
    }
}

static void supported_log(command *c, uint32_t fault)
{
    static const uint8_t logs[] = {NVME_LOG_SUPPORTED, NVME_LOG_ERROR, NVME_LOG_SMART, NVME_LOG_FIRMWARE, NVME_LOG_EFFECTS,
                                   NVME_LOG_COUNTERS};

    (void)fault;
    for (size_t i = 0; i < sizeof logs; i++) {
        answer_bits(command_answer(c), logs[i], 0, 0xFFFFFFFFu, 1u);
    }
}

void logs_get(command *c)
{
    uint32_t log = command_get(c, GET_LOG_PAGE_LID), set = command_get(c, GET_LOG_PAGE_CSI);
    uint32_t dwords = (command_get(c, GET_LOG_PAGE_NUMDL) | command_get(c, GET_LOG_PAGE_NUMDU) << 16) + 1u;
    uint64_t offset = command_u64(c, GET_LOG_PAGE_OFFSET_OFFSET);
    command_step *build = log == NVME_LOG_SUPPORTED                                        ? supported_log
                          : log == NVME_LOG_ERROR                                          ? error_log
                          : log == NVME_LOG_SMART                                          ? smart_log
                          : log == NVME_LOG_FIRMWARE                                       ? firmware_log
                          : log == NVME_LOG_COUNTERS                                       ? counters_log
                          : log == NVME_LOG_EFFECTS && namespace_set_exists(set)             ? effects_log
                                                                                           : NULL;
    if (build == NULL) {
        command_end(c, NVME_STATUS_INVALID_LOG_PAGE, 0);
    } else if (dwords == 0u || dwords > DRIVE_UNIT_BYTES / 4u || offset % 4u != 0u || offset >= DRIVE_UNIT_BYTES ||
               command_get(c, GET_LOG_PAGE_OT) != 0u) {
        command_end(c, NVME_STATUS_INVALID_FIELD, 0);
    } else {
        if (command_get(c, GET_LOG_PAGE_RAE) == 0u) {
            events_log_read(log);
        }
        command_answer_with(c, (uint32_t)offset, dwords, build);
    }
}
