/* Identify: what the controller and its namespaces are (NVM Express Base Specification 2.2, section 5.1.13). */
#include "controller.h"
#include "compute.h"
#include "namespaces.h"

static void controller(command *c, uint32_t fault)
{
    uint32_t page = command_answer(c), power = 0;

    (void)fault;
    while (1u << power != DRIVE_TRANSFER_PAGES) {
        power++;
    }
    answer_put(page, IDENTIFY_CONTROLLER_VID, NVME_PCI_VENDOR);
    answer_put(page, IDENTIFY_CONTROLLER_SSVID, NVME_PCI_VENDOR);
    answer_text(page, IDENTIFY_CONTROLLER_SN_OFFSET, IDENTIFY_CONTROLLER_SN_SIZE, "TENON0001");
    answer_text(page, IDENTIFY_CONTROLLER_MN_OFFSET, IDENTIFY_CONTROLLER_MN_SIZE, "Tenon drive");
    answer_text(page, IDENTIFY_CONTROLLER_FR_OFFSET, IDENTIFY_CONTROLLER_FR_SIZE, "1.0");
    answer_put(page, IDENTIFY_CONTROLLER_MDTS, power);
    answer_put(page, IDENTIFY_CONTROLLER_CNTLID, 1);
    answer_put(page, IDENTIFY_CONTROLLER_VER, NVME_VERSION);
    answer_put(page, IDENTIFY_CONTROLLER_CNTRLTYPE, 1);
    answer_put(page, IDENTIFY_CONTROLLER_ACL, 3);
    answer_put(page, IDENTIFY_CONTROLLER_AERL, 3);
    answer_put(page, IDENTIFY_CONTROLLER_FRMW, 3); /* one slot, read only */
    answer_put(page, IDENTIFY_CONTROLLER_LPA, 2);
    answer_put(page, IDENTIFY_CONTROLLER_ELPE, 7);
    answer_put(page, IDENTIFY_CONTROLLER_WCTEMP, 343);
    answer_put(page, IDENTIFY_CONTROLLER_CCTEMP, 353);
    answer_put(page, IDENTIFY_CONTROLLER_SQES, 0x66);
    answer_put(page, IDENTIFY_CONTROLLER_CQES, 0x44);
    answer_put(page, IDENTIFY_CONTROLLER_NN, DRIVE_NAMESPACES);
    answer_put(page, IDENTIFY_CONTROLLER_ONCS, 1u << 2 | 1u << 3); /* Dataset Management, Write Zeroes */
    answer_put(page, IDENTIFY_CONTROLLER_MNAN, DRIVE_NAMESPACES);
    answer_text(page, IDENTIFY_CONTROLLER_SUBNQN_OFFSET, 28, "nqn.2026-11.tenon:drive:0001");
}

static void nvm_namespace(command *c, uint32_t fault)
{
    uint32_t page = command_answer(c), power = 0;

    (void)fault;
    while (1u << power != DRIVE_UNIT_BYTES) {
        power++;
    }
    answer_u64(page, IDENTIFY_NVM_NAMESPACE_NSZE_OFFSET, DRIVE_UNITS);
    answer_u64(page, IDENTIFY_NVM_NAMESPACE_NCAP_OFFSET, DRIVE_UNITS);
    answer_u64(page, IDENTIFY_NVM_NAMESPACE_NUSE_OFFSET, DRIVE_UNITS);
    answer_put(page, IDENTIFY_NVM_NAMESPACE_DLFEAT, 1); /* deallocated blocks read as zeros */
    answer_put(page, IDENTIFY_NVM_NAMESPACE_LBAF0, power << 16);
}

static void memory_namespace(command *c, uint32_t fault)
{
    (void)fault;
    answer_u64(command_answer(c), IDENTIFY_MEMORY_NAMESPACE_SIZE_OFFSET, DRIVE_SLM_BYTES);
}

static void compute_namespace(command *c, uint32_t fault)
{
    uint32_t page = command_answer(c);

    (void)fault;
    answer_put(page, IDENTIFY_COMPUTE_NAMESPACE_MAXACT, DRIVE_PROGRAM_SLOTS);
    answer_put(page, IDENTIFY_COMPUTE_NAMESPACE_MAXMEMRS, DRIVE_RANGE_SETS);
    answer_put(page, IDENTIFY_COMPUTE_NAMESPACE_MRSG, COMPUTE_GRANULE);
    answer_put(page, IDENTIFY_COMPUTE_NAMESPACE_MAXMEMR, COMPUTE_RANGES);
    answer_u64(page, IDENTIFY_COMPUTE_NAMESPACE_MAXPB_OFFSET, (uint64_t)DRIVE_PROGRAM_SLOTS * DRIVE_PROGRAM_BYTES);
    answer_put(page, IDENTIFY_COMPUTE_NAMESPACE_LPG, 4);
}

static void independent_namespace(command *c, uint32_t fault)
{
    (void)fault;
    answer_put(command_answer(c), IDENTIFY_INDEPENDENT_NAMESPACE_NSTAT, 1);
}

static void nothing(command *c, uint32_t fault)
{
    (void)c;
    (void)fault;
}

static void active(command *c, uint32_t fault)
{
    bool of_set = command_get(c, IDENTIFY_CNS) == NVME_CNS_ACTIVE_NAMESPACES_OF_SET;
    uint32_t set = command_get(c, IDENTIFY_CSI), at = 0;

    (void)fault;
    for (uint32_t nsid = 1; nsid <= DRIVE_NAMESPACES; nsid++) {
        if (nsid > command_get(c, SUBMISSION_NSID) && (!of_set || namespace_set(nsid) == set)) {
            answer_bits(command_answer(c), at++, 0, 0xFFFFFFFFu, nsid);
        }
    }
}

static void descriptors(command *c, uint32_t fault)
{
    uint32_t page = command_answer(c), nsid = command_get(c, SUBMISSION_NSID);
    volatile uint8_t *at = drive_memory(page);

    (void)fault;
    at[0] = NVME_DESCRIPTOR_NGUID;
    at[1] = 16;
    answer_text(page, 4, 15, "tenon namespace");
    at[4 + 15] = (uint8_t)nsid;
    at[20] = NVME_DESCRIPTOR_COMMAND_SET;
    at[21] = 1;
    at[24] = (uint8_t)namespace_set(nsid);
}

static void command_sets(command *c, uint32_t fault)
{
    (void)fault;
    answer_bits(command_answer(c), 0, 0, 0xFFFFFFFFu, 1u << NVME_CSI_NVM | 1u << NVME_CSI_MEMORY | 1u << NVME_CSI_COMPUTE);
}

void identify(command *c)
{
    uint32_t cns = command_get(c, IDENTIFY_CNS), nsid = command_get(c, SUBMISSION_NSID), set = command_get(c, IDENTIFY_CSI);
    bool exists = nsid >= 1u && nsid <= DRIVE_NAMESPACES, all = nsid == 0xFFFFFFFFu;
    bool supported = namespace_set_exists(set);
    uint32_t status = NVME_STATUS_INVALID_FIELD;
    command_step *build = NULL;

    switch (cns) {
    case NVME_CNS_CONTROLLER:
        build = controller;
        break;
    case NVME_CNS_NVM_NAMESPACE:
        if (all || (exists && namespace_set(nsid) == NVME_CSI_NVM)) {
            build = nvm_namespace; /* of all: what they have in common */
        } else {
            status = NVME_STATUS_INVALID_NAMESPACE_OR_FORMAT;
        }
        break;
    case NVME_CNS_ACTIVE_NAMESPACES:
    case NVME_CNS_ACTIVE_NAMESPACES_OF_SET:
        if (nsid >= 0xFFFFFFFEu) {
            status = NVME_STATUS_INVALID_NAMESPACE_OR_FORMAT;
        } else if (cns == NVME_CNS_ACTIVE_NAMESPACES || supported) {
            build = active;
        }
        break;
    case NVME_CNS_DESCRIPTORS:
    case NVME_CNS_INDEPENDENT_NAMESPACE:
        if (!exists) {
            status = NVME_STATUS_INVALID_NAMESPACE_OR_FORMAT;
        } else {
            build = cns == NVME_CNS_DESCRIPTORS ? descriptors : independent_namespace;
        }
        break;
    case NVME_CNS_NAMESPACE_OF_SET:
        if (!exists || namespace_set(nsid) != set) {
            status = NVME_STATUS_INVALID_NAMESPACE_OR_FORMAT;
        } else {
            build = set == NVME_CSI_MEMORY ? memory_namespace : set == NVME_CSI_COMPUTE ? compute_namespace : nothing;
            /* NVM's own says nothing beyond zeros */
        }
        break;
    case NVME_CNS_CONTROLLER_OF_SET:
        if (supported) {
            build = nothing;
        }
        break;
    case NVME_CNS_COMMAND_SETS:
        build = command_sets;
        break;
    default:
        break;
    }
    if (build == NULL) {
        command_end(c, status, 0);
    } else {
        command_answer_with(c, 0, DRIVE_UNIT_BYTES / 4u, build);
    }
}
