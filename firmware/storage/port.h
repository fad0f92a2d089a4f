/* What firmware touches: the drive's registers and the device's memory. With DRIVE_ON_HOST both are a model's, in a process. */
#ifndef DRIVE_PORT_H
#define DRIVE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drive_geometry.h"
#include "drive_registers.h"
#include "nvme_codes.h"
#include "nvme_wire.h"

#ifdef DRIVE_ON_HOST
#include "host_port.h"
#else

static inline uint32_t drive_read(uint32_t offset)
{
    return *(const volatile uint32_t *)(uintptr_t)(DRIVE_REGISTERS_AT + offset);
}

static inline void drive_write(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)(DRIVE_REGISTERS_AT + offset) = value;
}

/* Where the processor sees what lies at `address` of the device's memory: its first gigabyte, past all caches. */
static inline volatile uint8_t *drive_memory(uint32_t address)
{
    return (volatile uint8_t *)(uintptr_t)(DRIVE_DRAM_AT + address);
}

/* Sleeps until a bit of STATUS that WAKE names is set. */
static inline void drive_sleep(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

static inline void drive_enable_wake(uint32_t conditions)
{
    __asm__ volatile("csrw 0xBC0, %0" ::"r"(1u));     /* VexRiscv's mask of its lines */
    __asm__ volatile("csrs mie, %0" ::"r"(1u << 11)); /* machine external interrupts; mstatus.MIE stays 0 */
    drive_write(DRIVE_WAKE, conditions);
}

#endif

/* A field of a register's value, and a value with that field. */
#define drive_get(value, field) (((value) & field##_MASK) >> field##_SHIFT)
#define drive_put(field, value) (((uint32_t)(value) << field##_SHIFT) & field##_MASK)

static inline void drive_write64(uint32_t offset, uint64_t value)
{
    drive_write(offset, (uint32_t)value);
    drive_write(offset + 4u, (uint32_t)(value >> 32));
}

static inline uint64_t drive_read64(uint32_t offset)
{
    uint32_t low = drive_read(offset);
    return low | (uint64_t)drive_read(offset + 4u) << 32;
}

/* Zeros, before any command comes. */
static inline void drive_fill(uint32_t base, uint32_t bytes)
{
    drive_write64(DRIVE_MOVE_ADDRESS, base);
    drive_write(DRIVE_MOVE_DWORDS, bytes / 4u);
    drive_write(DRIVE_MOVE, drive_put(DRIVE_MOVE_KIND, DRIVE_KIND_FILL));
    while ((drive_read(DRIVE_MOVED) & DRIVE_MOVED_VALID_MASK) == 0u) {
    }
}

#endif
