#include "compute.h"
#include "controller.h"

static void abort_command(command *c)
{
    uint32_t queue = command_get(c, ABORT_SQID), cid = command_get(c, ABORT_ABORT_CID);
    bool done = queue == 0u ? events_abort(cid) : compute_abort(queue, cid);

    command_end(c, NVME_STATUS_SUCCESS, done ? 0u : 1u); /* 1: it was not aborted, and goes on */
}

void admin_command(command *c)
{
    switch (command_get(c, SUBMISSION_OPCODE)) {
    case NVME_OPCODE_DELETE_SQ:
        queues_delete_submission(c);
        break;
    case NVME_OPCODE_CREATE_SQ:
        queues_create_submission(c);
        break;
    case NVME_OPCODE_GET_LOG_PAGE:
        logs_get(c);
        break;
    case NVME_OPCODE_DELETE_CQ:
        queues_delete_completion(c);
        break;
    case NVME_OPCODE_CREATE_CQ:
        queues_create_completion(c);
        break;
    case NVME_OPCODE_IDENTIFY:
        identify(c);
        break;
    case NVME_OPCODE_ABORT:
        abort_command(c);
        break;
    case NVME_OPCODE_SET_FEATURES:
        features_set(c);
        break;
    case NVME_OPCODE_GET_FEATURES:
        features_get(c);
        break;
    case NVME_OPCODE_ASYNC_EVENT_REQUEST:
        events_request(c);
        break;
    case NVME_OPCODE_LOAD_PROGRAM:
        compute_load(c);
        break;
    case NVME_OPCODE_PROGRAM_ACTIVATION:
        compute_activate(c);
        break;
    case NVME_OPCODE_MEMORY_RANGE_SET:
        compute_range_set(c);
        break;
    default:
        command_end(c, NVME_STATUS_INVALID_OPCODE, 0);
        break;
    }
}
