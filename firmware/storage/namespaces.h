/* Which namespaces there are: 1 has blocks, 2 is the device's memory, 3 computes. */
#ifndef DRIVE_NAMESPACES_H
#define DRIVE_NAMESPACES_H

#include <stdbool.h>

#include "nvme_codes.h"

#define NAMESPACE_BLOCKS 1u
#define NAMESPACE_MEMORY 2u
#define NAMESPACE_COMPUTE 3u
#define NAMESPACES 3u

/* Whether some namespace is of this command set. */
static inline bool namespace_set_exists(uint32_t set)
{
    return set == NVME_CSI_NVM || set == NVME_CSI_MEMORY || set == NVME_CSI_COMPUTE;
}

static inline uint32_t namespace_set(uint32_t nsid)
{
    return nsid == NAMESPACE_MEMORY ? NVME_CSI_MEMORY : nsid == NAMESPACE_COMPUTE ? NVME_CSI_COMPUTE : NVME_CSI_NVM;
}

#endif
