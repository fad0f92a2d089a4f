/* Which namespaces there are: 1 has blocks, 2 is the device's memory. */
#ifndef DRIVE_NAMESPACES_H
#define DRIVE_NAMESPACES_H

#include "nvme_codes.h"

#define NAMESPACE_BLOCKS 1u
#define NAMESPACE_MEMORY 2u
#define NAMESPACES 2u

static inline uint32_t namespace_set(uint32_t nsid)
{
    return nsid == NAMESPACE_MEMORY ? NVME_CSI_MEMORY : NVME_CSI_NVM;
}

#endif
