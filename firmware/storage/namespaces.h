/* Which namespaces there are: 1 has blocks, 2 is the device's memory, 3 computes. */
#ifndef DRIVE_NAMESPACES_H
#define DRIVE_NAMESPACES_H

#include <stdbool.h>

#include "drive_geometry.h"
#include "nvme_codes.h"

/* Whether some namespace is of this command set. */
static inline bool namespace_set_exists(uint32_t set)
{
    return set == NVME_CSI_NVM || set == NVME_CSI_MEMORY || set == NVME_CSI_COMPUTE;
}

static inline uint32_t namespace_set(uint32_t nsid)
{
    return nsid == NVME_NAMESPACE_MEMORY ? NVME_CSI_MEMORY : nsid == NVME_NAMESPACE_COMPUTE ? NVME_CSI_COMPUTE : NVME_CSI_NVM;
}

#endif
