// What the link to a guest shares with the host's memory.
#pragma once

#include <cstdint>

// Memory from `base` on that the drive may read and write: `memory` is where this process has it.
void host_share(uint64_t base, uint64_t bytes, uint8_t *memory);

// What is called for a message that is written to the page `page` (bytes / 4096): its data.
void host_on_message(uint64_t page, void (*message)(uint32_t data));
