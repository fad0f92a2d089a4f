/* Runs one network on an accelerator in a LiteX system and ends with what the driver said. Where things are comes from the
 * headers that LiteX generates; the accelerator is called `tenon` there. Whoever loads the main memory writes the job. */
#include "generated/csr.h"
#include "generated/mem.h"
#include "generated/soc.h"
#include "tenon_driver.h"

/* At the start of the main memory. CPU and accelerator see it at the same addresses: both are masters of one bus. */
typedef struct {
    uint32_t image;
    uint32_t bytes;
    uint32_t inputs;
    uint32_t outputs;
    uint32_t arena;
    uint32_t interrupts; /* written here: how many there were */
} job;

static tenon_device tenon;
static volatile uint32_t interrupts;

static void end(uint32_t code)
{
    *(volatile uint32_t *)CSR_MAIN_EXIT_ADDR = code;
    for (;;) {
    }
}

/* Called by startup.S: the accelerator's interrupt, or a bug, which ends the run with its place. */
void handle_trap(uint32_t cause, uint32_t address);
void handle_trap(uint32_t cause, uint32_t address)
{
    if (cause == 0x8000000Bu && tenon_interrupt(&tenon)) {
        interrupts = interrupts + 1;
    } else {
        end(address);
    }
}

/* Sleeps until the handler has run; interrupts are off between the look and wfi, which a pending one ends. */
static bool sleep(void *context)
{
    (void)context;
    while (interrupts == 0) {
        __asm__ volatile("csrci mstatus, 8" ::: "memory");
        if (interrupts == 0) {
            __asm__ volatile("wfi" ::: "memory");
        }
        __asm__ volatile("csrsi mstatus, 8" ::: "memory");
    }
    return true;
}

int main(void)
{
    job *work = (job *)MAIN_RAM_BASE;
    tenon_buffers buffers = {.inputs = work->inputs, .outputs = work->outputs, .arena = work->arena};
    tenon_program program;
    tenon_result result = tenon_probe(&tenon, TENON_BASE);

    if (result == TENON_OK) {
        result = tenon_open(&tenon, &program, (const void *)(uintptr_t)work->image, work->bytes, work->image);
    }
    if (result == TENON_OK) {
        __asm__ volatile("csrw 0xBC0, %0" ::"r"(1u << TENON_INTERRUPT)); /* VexRiscv's mask of its lines */
        __asm__ volatile("csrs mie, %0" ::"r"(1u << 11));
        __asm__ volatile("csrsi mstatus, 8" ::: "memory");
        result = tenon_start(&tenon, &program, &buffers, true);
    }
    if (result == TENON_OK) {
        result = tenon_wait(&tenon, sleep, NULL);
    }
    work->interrupts = interrupts;
    end(result);
    return 0;
}
