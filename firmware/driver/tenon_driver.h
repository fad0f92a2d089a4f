/* Driver of the Tenon accelerator: freestanding C11, without allocation, without state of its own.
 *
 * It needs the header of the hardware, tenon.h, as `tenon generate` writes it, and works for every configuration whose
 * register map has the same version. firmware/README.md shows it in use.
 *
 * Addresses    `uintptr_t` and pointers are the CPU's; `uint64_t` addresses are the accelerator's, as its AXI4 port puts
 *              them out. The two may differ; the driver never converts one into the other.
 * Order        tenon_start() makes everything written before visible before the accelerator starts, and a result
 *              other than TENON_BUSY is given before anything is read after it, as far as a memory barrier does that.
 * Caches       The driver touches no memory but registers and the image's header, so it maintains no cache. If the CPU's
 *              is not coherent with the accelerator: write back the image, the inputs and whatever is dirty of outputs and
 *              arena before tenon_start(); invalidate the outputs after the run and before reading them. No other
 *              data may share a cache line with the outputs or the arena.
 * Devices      One tenon_device for each accelerator; nothing is shared between them.
 * Re-entrancy  One thread at a time for each device. tenon_interrupt() may interrupt any other function on the same CPU, and
 *              the handler may start the next run after it. A handler on another CPU must have withdrawn the interrupt of
 *              one run before the next is started: wait for the handler there, not for the accelerator.
 * Time         No function waits but tenon_poll() and tenon_wait(), which both have a limit. After TENON_TIMEOUT the accelerator
 *              still works on its buffers: wait on, or tenon_stop() it. A compiled program always ends; a run that does
 *              not, not even after tenon_stop(), means memory that never answers. Reset the accelerator by its pin then, and
 *              the interconnect with it: answers to what it asked for before must not reach it afterwards.
 * Bounds       tenon_start() tells the accelerator how large the buffers are. It reads and writes nothing outside them, but
 *              for reads of the rest of a bus word that is partly inside, and ends with TENON_ERROR_SEGMENT instead. */
#ifndef TENON_DRIVER_H
#define TENON_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenon.h"
#include "tenon_image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a function answers: one of these, or one of TENON_ERROR_* of tenon.h, the accelerator's own codes. */
typedef uint32_t tenon_result;

#define TENON_OK TENON_ERROR_NONE
#define TENON_BUSY 16u              /* a run is going on */
#define TENON_IDLE 17u              /* nothing was started since the reset or tenon_clear() */
#define TENON_TIMEOUT 18u           /* the limit is reached; the run goes on */
#define TENON_NO_DEVICE 19u         /* no Tenon accelerator at this address */
#define TENON_OTHER_REGISTERS 20u   /* its register map has another version than tenon.h */
#define TENON_BAD_IMAGE 21u         /* not a program image, or cut short */
#define TENON_OTHER_HARDWARE 22u    /* the image was compiled for another configuration */
#define TENON_MISALIGNED 23u        /* the image lies at an address that instructions cannot be fetched from */
#define TENON_OUT_OF_REACH 24u      /* an address has more bits than the accelerator's */

/* One accelerator. Read-only after tenon_probe(). */
typedef struct {
    uintptr_t registers; /* where the CPU sees its first register; uncached, strongly ordered ("device") memory */
} tenon_device;

/* A program in memory, ready to be started any number of times, by tenon_open(). Read-only after that. */
typedef struct {
    const tenon_image *image; /* for the CPU */
    uint64_t address;         /* of the same image for the accelerator */
} tenon_program;

/* Where one run finds its data: addresses for the accelerator, best multiples of 64. The sizes are in the image. */
typedef struct {
    uint64_t inputs;
    uint64_t outputs;
    uint64_t arena; /* runs one after the other may share it */
} tenon_buffers;

/* Called between two looks at the accelerator while it works: sleep until an interrupt, yield, look at a clock.
 * Returns false to give up. */
typedef bool tenon_pause(void *context);

/* The two accesses to registers that everything here is made of. `offset` is one of tenon.h's. */
static inline uint32_t tenon_read(const tenon_device *device, uint32_t offset)
{
    return *(const volatile uint32_t *)(device->registers + offset);
}

static inline void tenon_write(const tenon_device *device, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(device->registers + offset) = value;
}

/* Makes `device` stand for the accelerator at `registers`. Writes nothing to it.
 * TENON_OK, TENON_NO_DEVICE or TENON_OTHER_REGISTERS. */
tenon_result tenon_probe(tenon_device *device, uintptr_t registers);

/* First 32 bits of the fingerprint of the accelerator's configuration. TENON_FINGERPRINT_VALUE is that of the
 * configuration which tenon.h was generated for: firmware for exactly one may insist that they are equal. */
uint32_t tenon_fingerprint(const tenon_device *device);

/* Checks an image of `bytes` bytes and makes `program` stand for it.
 *
 * `image` is where the CPU reads it, aligned to 4 bytes, `address` where the accelerator does, a multiple of
 * TENON_IMAGE_ALIGNMENT. The image stays in use: it must stay there for as long as the program.
 * TENON_OK, TENON_BAD_IMAGE, TENON_OTHER_HARDWARE or TENON_MISALIGNED. */
tenon_result tenon_open(const tenon_device *device, tenon_program *program, const void *image, size_t bytes, uint64_t address);

/* Input and output number `index`, counted as in the model; null if there are not so many. */
const tenon_tensor *tenon_input(const tenon_program *program, uint32_t index);
const tenon_tensor *tenon_output(const tenon_program *program, uint32_t index);

/* Elements (bytes) of a tensor. */
uint32_t tenon_elements(const tenon_tensor *tensor);

/* Starts a run and returns at once; with `interrupt`, its end raises the interrupt. TENON_OK, TENON_BUSY or
 * TENON_OUT_OF_REACH. */
tenon_result tenon_start(const tenon_device *device, const tenon_program *program, const tenon_buffers *buffers, bool interrupt);

/* Ends the run that goes on, if any, and returns at once. As soon as memory has answered what it had been asked for, the
 * result is TENON_ERROR_STOPPED, unless the run had ended before. What outputs and arena hold then is anything. */
void tenon_stop(const tenon_device *device);

/* The same, and makes every register what it was after power-on. tenon_status() is TENON_BUSY until that is done, then
 * TENON_IDLE; there is no interrupt. */
void tenon_reset(const tenon_device *device);

/* How the last run went: TENON_OK or an error of the accelerator's, TENON_BUSY while it goes on, or TENON_IDLE. */
tenon_result tenon_status(const tenon_device *device);

/* To be called by the handler of the interrupt: withdraws it and tells whether it was this accelerator's (interrupts
 * may be shared). The result of the run stays readable, and the next tenon_start() enables the interrupt anew. */
bool tenon_interrupt(const tenon_device *device);

/* Looks at the accelerator until the run has ended, for at most `cycles` of the accelerator's clock since the start
 * (0: without limit; best far below 2**32, where its counter starts again). tenon_status()'s answer, or TENON_TIMEOUT. */
tenon_result tenon_poll(const tenon_device *device, uint32_t cycles);

/* The same with `pause(context)` between two looks, for as long as that returns true. */
tenon_result tenon_wait(const tenon_device *device, tenon_pause *pause, void *context);

/* Forgets the last run, error and interrupt included. */
void tenon_clear(const tenon_device *device);

/* Instructions that were dispatched before the run ended, END included (modulo 2**24). After TENON_ERROR_OPCODE, _FIELD and
 * _ADDRESS that is the index of the refused instruction, counted from 0; an error of the bus or of a token belongs
 * to an earlier one. */
uint32_t tenon_index(const tenon_device *device);

/* A performance counter of the last run, or so far of this one: TENON_COUNTER_* of tenon.h. */
uint32_t tenon_counter(const tenon_device *device, uint32_t counter);

/* Cycle, counted from the start, at which the instruction with this mark was done (program.json names the layers'
 * marks); 0 if the hardware of tenon.h does not keep so many. */
uint32_t tenon_mark(const tenon_device *device, uint32_t mark);

/* What an engine (TENON_ENGINE_*) waits for: register WAITING, for a run that does not end. */
uint32_t tenon_waiting(const tenon_device *device, uint32_t engine);

/* A few words on a result, for a log; never null. */
const char *tenon_message(tenon_result result);

#ifdef __cplusplus
}
#endif

#endif
