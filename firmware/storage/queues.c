/* I/O queues: created and deleted by admin commands (NVM Express Base Specification 2.2, sections 5.2). */
#include "controller.h"

typedef struct {
    bool submission;  /* there is one of this number */
    bool completion;
    uint8_t answers;  /* the submission queue's completion queue */
    command *deletes; /* what deletes the submission queue */
} queue;

static queue queues[DRIVE_QUEUES + 1u]; /* the first is the admin queue's */

void queues_reset(void)
{
    for (uint32_t i = 1; i <= DRIVE_QUEUES; i++) {
        queues[i] = (queue){.submission = false};
    }
}

bool queues_exist(void)
{
    for (uint32_t i = 1; i <= DRIVE_QUEUES; i++) {
        if (queues[i].submission || queues[i].completion) {
            return true;
        }
    }
    return false;
}

static void make(uint32_t index, bool completion, bool enable, bool interrupts, uint32_t other)
{
    drive_write(DRIVE_QUEUE, drive_put(DRIVE_QUEUE_INDEX, index) | drive_put(DRIVE_QUEUE_COMPLETION, completion) |
                                 drive_put(DRIVE_QUEUE_ENABLE, enable) | drive_put(DRIVE_QUEUE_INTERRUPT, interrupts) |
                                 drive_put(DRIVE_QUEUE_OTHER, other));
}

/* What both kinds of creation check alike. */
static uint32_t check(uint32_t index, bool exists, uint32_t last, bool contiguous, uint64_t base)
{
    if (index == 0u || index > DRIVE_QUEUES || exists) {
        return NVME_STATUS_INVALID_QUEUE_IDENTIFIER;
    }
    if (last == 0u || last >= DRIVE_QUEUE_ENTRIES) {
        return NVME_STATUS_INVALID_QUEUE_SIZE;
    }
    if (!contiguous) {
        return NVME_STATUS_INVALID_FIELD;
    }
    return base % DRIVE_HOST_PAGE_BYTES == 0u ? NVME_STATUS_SUCCESS : NVME_STATUS_PRP_OFFSET_INVALID;
}

static bool entry_sizes_set(bool completion)
{
    uint32_t cc = drive_read(DRIVE_CC);
    return completion ? (cc >> CONTROLLER_REGISTERS_CC_IOCQES_SHIFT & CONTROLLER_REGISTERS_CC_IOCQES_MASK) == 4u
                      : (cc >> CONTROLLER_REGISTERS_CC_IOSQES_SHIFT & CONTROLLER_REGISTERS_CC_IOSQES_MASK) == 6u;
}

void queues_create_completion(command *c)
{
    uint32_t index = command_get(c, CREATE_CQ_QID), last = command_get(c, CREATE_CQ_QSIZE), vector = command_get(c, CREATE_CQ_IV);
    uint64_t base = command_u64(c, SUBMISSION_PRP1_OFFSET);
    bool exists = index <= DRIVE_QUEUES && queues[index].completion;
    uint32_t status = check(index, exists, last, command_get(c, CREATE_CQ_PC) != 0u, base);

    if (status == NVME_STATUS_SUCCESS && vector >= DRIVE_VECTORS) {
        status = NVME_STATUS_INVALID_INTERRUPT_VECTOR;
    }
    if (status == NVME_STATUS_SUCCESS && !entry_sizes_set(true)) {
        status = NVME_STATUS_INVALID_FIELD;
    }
    if (status == NVME_STATUS_SUCCESS) {
        drive_write64(DRIVE_QUEUE_BASE, base);
        drive_write(DRIVE_QUEUE_LAST, last);
        make(index, true, true, command_get(c, CREATE_CQ_IEN) != 0u, vector);
        queues[index].completion = true;
    }
    command_end(c, status, 0);
}

void queues_create_submission(command *c)
{
    uint32_t index = command_get(c, CREATE_SQ_QID), last = command_get(c, CREATE_SQ_QSIZE), answers = command_get(c, CREATE_SQ_CQID);
    uint64_t base = command_u64(c, SUBMISSION_PRP1_OFFSET);
    bool exists = index <= DRIVE_QUEUES && queues[index].submission;
    uint32_t status = check(index, exists, last, command_get(c, CREATE_SQ_PC) != 0u, base);

    if (status == NVME_STATUS_SUCCESS && (answers == 0u || answers > DRIVE_QUEUES)) {
        status = NVME_STATUS_INVALID_QUEUE_IDENTIFIER;
    }
    if (status == NVME_STATUS_SUCCESS && !queues[answers].completion) {
        status = NVME_STATUS_COMPLETION_QUEUE_INVALID;
    }
    if (status == NVME_STATUS_SUCCESS && !entry_sizes_set(false)) {
        status = NVME_STATUS_INVALID_FIELD;
    }
    if (status == NVME_STATUS_SUCCESS) {
        drive_write64(DRIVE_QUEUE_BASE, base);
        drive_write(DRIVE_QUEUE_LAST, last);
        make(index, false, true, false, answers);
        queues[index].submission = true;
        queues[index].answers = (uint8_t)answers;
    }
    command_end(c, status, 0);
}

void queues_delete_completion(command *c)
{
    uint32_t index = command_get(c, DELETE_CQ_QID);

    if (index == 0u || index > DRIVE_QUEUES || !queues[index].completion) {
        command_end(c, NVME_STATUS_INVALID_QUEUE_IDENTIFIER, 0);
        return;
    }
    for (uint32_t i = 1; i <= DRIVE_QUEUES; i++) {
        if (queues[i].submission && queues[i].answers == index) {
            command_end(c, NVME_STATUS_INVALID_QUEUE_DELETION, 0);
            return;
        }
    }
    make(index, true, false, false, 0);
    queues[index].completion = false;
    command_end(c, NVME_STATUS_SUCCESS, 0);
}

void queues_delete_submission(command *c)
{
    uint32_t index = command_get(c, DELETE_SQ_QID);

    if (index == 0u || index > DRIVE_QUEUES || !queues[index].submission || queues[index].deletes != NULL) {
        command_end(c, NVME_STATUS_INVALID_QUEUE_IDENTIFIER, 0);
        return;
    }
    make(index, false, false, false, queues[index].answers); /* nothing more is fetched */
    queues[index].deletes = c;
}

bool queues_deleting(uint32_t index)
{
    return queues[index].deletes != NULL;
}

bool queues_delete_more(void)
{
    bool some = false;

    for (uint32_t i = 1; i <= DRIVE_QUEUES; i++) {
        if (queues[i].deletes != NULL) {
            if (drive_read(DRIVE_OPEN + 4u * i) == 0u) { /* nor on its way */
                command_end(queues[i].deletes, NVME_STATUS_SUCCESS, 0);
                queues[i].deletes = NULL;
                queues[i].submission = false;
            } else {
                some = true;
            }
        }
    }
    return some;
}
