/* The system that this example runs on: the simulated one of tb/soc/soc.sv. A VexRiscv core (RV32IM, caches for
 * instructions and data, the latter writing through), 64 KiB of its own memory, the accelerator, one DRAM for both. */
#ifndef SOC_H
#define SOC_H

#include <stdbool.h>
#include <stdint.h>

#define SOC_TENON ((uintptr_t)0x80000000u)   /* the accelerator's registers; the CPU caches nothing above it */
#define SOC_EXIT ((uintptr_t)0x90000000u)    /* a word written here ends the simulation */
#define SOC_DRAM 0x40000000u                 /* where the CPU sees the DRAM; the accelerator sees it at 0 */
#define SOC_TENON_INTERRUPT 1u               /* bit of the core's interrupt lines */

/* Where the CPU sees what the accelerator has at `address`. */
static inline void *soc_pointer(uint32_t address)
{
    return (void *)(uintptr_t)(SOC_DRAM + address);
}

/* Drops the data cache's contents. It writes through, so there is never anything to write back. (fence iorw, iorw
 * does not do it: fences order accesses, and a hit in the cache is none.) */
static inline void soc_invalidate_cache(void)
{
    __asm__ volatile(".word 0x500F" ::: "memory");
}

/* Lets the accelerator's interrupt through to the core; the core itself takes it only while interrupts are on. */
static inline void soc_enable_interrupt(void)
{
    __asm__ volatile("csrw 0xBC0, %0" ::"r"(SOC_TENON_INTERRUPT)); /* VexRiscv's mask of its lines */
    __asm__ volatile("csrs mie, %0" ::"r"(1u << 11));              /* machine external interrupts */
}

static inline void soc_interrupts_on(void)
{
    __asm__ volatile("csrsi mstatus, 8" ::: "memory");
}

static inline void soc_interrupts_off(void)
{
    __asm__ volatile("csrci mstatus, 8" ::: "memory");
}

/* Sleeps until an interrupt is pending, even while interrupts are off. */
static inline void soc_sleep(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

static inline void soc_exit(uint32_t code)
{
    *(volatile uint32_t *)SOC_EXIT = code;
    for (;;) {
    }
}

#endif
