#include "tenon_driver.h"

/* Orders memory against registers, for the compiler and for the CPU. C11's fences order memory against memory only, so
 * machines whose device accesses are ordered separately have their own. -DTENON_BARRIER='...' replaces it. */
#ifndef TENON_BARRIER
#if defined(__riscv)
#define TENON_BARRIER() __asm__ volatile("fence iorw, iorw" ::: "memory")
#elif defined(__aarch64__) || (defined(__ARM_ARCH) && __ARM_ARCH >= 7)
#define TENON_BARRIER() __asm__ volatile("dsb sy" ::: "memory")
#else
#include <stdatomic.h>
#define TENON_BARRIER() atomic_thread_fence(memory_order_seq_cst)
#endif
#endif

static uint32_t field(uint32_t word, uint32_t mask, uint32_t shift)
{
    return (word & mask) >> shift;
}

/* Whether `count` items of `size` bytes at `offset` lie inside `bytes`; no product or sum can overflow. */
static bool inside(uint32_t bytes, uint32_t offset, uint32_t count, uint32_t size)
{
    return offset <= bytes && count <= (bytes - offset) / size;
}

tenon_result tenon_probe(tenon_device *device, uintptr_t registers)
{
    device->registers = registers;
    if (tenon_read(device, TENON_ID) != TENON_ID_VALUE) {
        return TENON_NO_DEVICE;
    }
    return tenon_read(device, TENON_VERSION) == TENON_VERSION_VALUE ? TENON_OK : TENON_OTHER_REGISTERS;
}

uint32_t tenon_fingerprint(const tenon_device *device)
{
    return tenon_read(device, TENON_FINGERPRINT);
}

tenon_result tenon_open(const tenon_device *device, tenon_program *program, const void *image, size_t bytes, uint64_t address)
{
    const tenon_image *header = image;

    if (bytes < sizeof *header || header->magic != TENON_IMAGE_MAGIC || header->version != TENON_IMAGE_VERSION
        || header->bytes > bytes || header->code % TENON_IMAGE_ALIGNMENT != 0 || header->tensors % 4 != 0
        || !inside(header->bytes, header->code, header->instructions, TENON_INSTRUCTION_BYTES)
        || !inside(header->bytes, header->constants, header->constants_bytes, 1)
        || !inside(header->bytes, header->tensors, header->inputs, sizeof(tenon_tensor))
        || !inside(header->bytes, header->tensors + header->inputs * (uint32_t)sizeof(tenon_tensor), header->outputs,
                   sizeof(tenon_tensor))) {
        return TENON_BAD_IMAGE;
    }
    if (header->fingerprint != tenon_fingerprint(device)) {
        return TENON_OTHER_HARDWARE;
    }
    if (address % TENON_IMAGE_ALIGNMENT != 0) {
        return TENON_MISALIGNED;
    }
    program->image = header;
    program->address = address;
    return TENON_OK;
}

static const tenon_tensor *tensor(const tenon_program *program, uint32_t index)
{
    const unsigned char *start = (const unsigned char *)program->image;

    return (const tenon_tensor *)(const void *)(start + program->image->tensors) + index;
}

const tenon_tensor *tenon_input(const tenon_program *program, uint32_t index)
{
    return index < program->image->inputs ? tensor(program, index) : NULL;
}

const tenon_tensor *tenon_output(const tenon_program *program, uint32_t index)
{
    return index < program->image->outputs ? tensor(program, program->image->inputs + index) : NULL;
}

uint32_t tenon_elements(const tenon_tensor *tensor)
{
    return tensor->batch * tensor->height * tensor->width * tensor->channels;
}

/* Writes both halves of an address; false if the accelerator does not keep all of the upper one. */
static bool set_address(const tenon_device *device, uint32_t low, uint32_t high, uint64_t address)
{
    const uint32_t upper = (uint32_t)(address >> 32);

    tenon_write(device, low, (uint32_t)address);
    tenon_write(device, high, upper);
    return upper == 0 || tenon_read(device, high) == upper;
}

/* Where a segment begins, and how long it is. */
static bool set_segment(const tenon_device *device, uint32_t segment, uint64_t address, uint32_t bytes)
{
    tenon_write(device, TENON_SEGMENT_BYTES + 4u * segment, bytes);
    tenon_write(device, TENON_SEGMENT_BYTES_HIGH + 4u * segment, 0);
    return set_address(device, TENON_SEGMENT + 4u * segment, TENON_SEGMENT_HIGH + 4u * segment, address);
}

tenon_result tenon_start(const tenon_device *device, const tenon_program *program, const tenon_buffers *buffers, bool interrupt)
{
    const tenon_image *image = program->image;

    if (tenon_status(device) == TENON_BUSY) {
        return TENON_BUSY; /* its registers cannot be written */
    }
    if (!set_address(device, TENON_PROGRAM, TENON_PROGRAM_HIGH, program->address + image->code)
        || !set_segment(device, TENON_SEGMENT_CONSTANTS, program->address + image->constants, image->constants_bytes)
        || !set_segment(device, TENON_SEGMENT_ARENA, buffers->arena, image->arena_bytes)
        || !set_segment(device, TENON_SEGMENT_INPUTS, buffers->inputs, image->inputs_bytes)
        || !set_segment(device, TENON_SEGMENT_OUTPUTS, buffers->outputs, image->outputs_bytes)) {
        return TENON_OUT_OF_REACH;
    }
    tenon_write(device, TENON_PROGRAM_LENGTH, image->instructions);
    TENON_BARRIER();
    /* START also clears what the last run left, in the same cycle as it sets BUSY. */
    tenon_write(device, TENON_CONTROL, TENON_CONTROL_START_MASK | (interrupt ? TENON_CONTROL_IRQ_ENABLE_MASK : 0u));
    return TENON_OK;
}

void tenon_stop(const tenon_device *device)
{
    tenon_write(device, TENON_CONTROL, TENON_CONTROL_STOP_MASK); /* leaves IRQ_ENABLE as it is */
}

void tenon_reset(const tenon_device *device)
{
    tenon_write(device, TENON_CONTROL, TENON_CONTROL_RESET_MASK);
}

tenon_result tenon_status(const tenon_device *device)
{
    uint32_t status = tenon_read(device, TENON_STATUS);

    if ((status & TENON_STATUS_BUSY_MASK) != 0) {
        return TENON_BUSY;
    }
    if ((status & TENON_STATUS_DONE_MASK) == 0) {
        return TENON_IDLE;
    }
    TENON_BARRIER();
    return field(status, TENON_STATUS_ERROR_MASK, TENON_STATUS_ERROR_SHIFT);
}

bool tenon_interrupt(const tenon_device *device)
{
    uint32_t enabled = tenon_read(device, TENON_CONTROL) & TENON_CONTROL_IRQ_ENABLE_MASK;
    uint32_t done = tenon_read(device, TENON_STATUS) & TENON_STATUS_DONE_MASK;

    if (enabled == 0 || done == 0) {
        return false;
    }
    tenon_write(device, TENON_CONTROL, 0); /* masks the interrupt; DONE and ERROR stay */
    (void)tenon_read(device, TENON_CONTROL); /* a posted write has arrived before the handler returns */
    return true;
}

tenon_result tenon_poll(const tenon_device *device, uint32_t cycles)
{
    tenon_result result;

    while ((result = tenon_status(device)) == TENON_BUSY) {
        if (cycles != 0 && tenon_counter(device, TENON_COUNTER_CYCLES) >= cycles) {
            return TENON_TIMEOUT;
        }
    }
    return result;
}

tenon_result tenon_wait(const tenon_device *device, tenon_pause *pause, void *context)
{
    tenon_result result;

    while ((result = tenon_status(device)) == TENON_BUSY) {
        if (!pause(context)) {
            return TENON_TIMEOUT;
        }
    }
    return result;
}

void tenon_clear(const tenon_device *device)
{
    tenon_write(device, TENON_CONTROL, TENON_CONTROL_CLEAR_MASK);
}

uint32_t tenon_index(const tenon_device *device)
{
    return field(tenon_read(device, TENON_STATUS), TENON_STATUS_INDEX_MASK, TENON_STATUS_INDEX_SHIFT);
}

uint32_t tenon_counter(const tenon_device *device, uint32_t counter)
{
    return counter < TENON_COUNTER_COUNT ? tenon_read(device, TENON_COUNTER + 4u * counter) : 0u;
}

uint32_t tenon_mark(const tenon_device *device, uint32_t mark)
{
    return mark < TENON_MARK_COUNT ? tenon_read(device, TENON_MARK + 4u * mark) : 0u;
}

uint32_t tenon_waiting(const tenon_device *device, uint32_t engine)
{
    return engine < TENON_WAITING_COUNT ? tenon_read(device, TENON_WAITING + 4u * engine) : 0u;
}

const char *tenon_message(tenon_result result)
{
    switch (result) {
    case TENON_OK: return "done";
    case TENON_ERROR_OPCODE: return "no instruction has this opcode";
    case TENON_ERROR_FIELD: return "a field of an instruction is out of range";
    case TENON_ERROR_ADDRESS: return "an instruction leaves an on-chip memory";
    case TENON_ERROR_NO_END: return "the program has no END";
    case TENON_ERROR_FETCH_BUS: return "the bus refused to read an instruction";
    case TENON_ERROR_LOAD_BUS: return "the bus refused to read data";
    case TENON_ERROR_STORE_BUS: return "the bus refused to write data";
    case TENON_ERROR_TOKEN: return "a token counter overflowed";
    case TENON_ERROR_DEADLOCK: return "instructions wait for tokens that nothing will signal";
    case TENON_ERROR_STOPPED: return "the run was stopped";
    case TENON_ERROR_SEGMENT: return "an instruction leaves a segment of memory";
    case TENON_BUSY: return "a run is going on";
    case TENON_IDLE: return "nothing was started";
    case TENON_TIMEOUT: return "the run took too long, and goes on";
    case TENON_NO_DEVICE: return "no Tenon accelerator at this address";
    case TENON_OTHER_REGISTERS: return "the register map has another version";
    case TENON_BAD_IMAGE: return "not a program image, or cut short";
    case TENON_OTHER_HARDWARE: return "the program was compiled for other hardware";
    case TENON_MISALIGNED: return "the program's address is misaligned";
    case TENON_OUT_OF_REACH: return "an address is beyond those of the accelerator";
    default: return "an unknown error";
    }
}
