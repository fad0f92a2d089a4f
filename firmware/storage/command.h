/* Commands in the drive: where their fields are, how their data are moved, how they end. */
#ifndef DRIVE_COMMAND_H
#define DRIVE_COMMAND_H

#include "port.h"

typedef struct command command;

/* What is to be done when a command's data have been moved: `fault` is MOVED's, 0 if all went well. */
typedef void command_step(command *c, uint32_t fault);

struct command {
    uint8_t slot;
    uint8_t queue;
    command_step *next;
    command_step *build; /* of an answer */
    uint32_t state[4]; /* the step's own */

    /* The media's: which blocks, where they go in the device's memory, and what is to be done then; how many units are left, how many have
     * been taken to be written, whether one is lost. */
    uint32_t media_first, media_count, media_to;
    command_step *after;
    uint32_t left, begun;
    bool lost;
};

command *command_in(uint32_t slot);

/* A dword of the command as it came; fields of one dword are read from these by wire_get(). */
static inline const volatile uint32_t *command_words(const command *c)
{
    return (const volatile uint32_t *)(uintptr_t)(DRIVE_REGISTERS_AT + DRIVE_ENTRY) + (size_t)c->slot * (SUBMISSION_BYTES / 4u);
}

/* A field of 64 bits, by its byte offset. */
static inline uint64_t command_u64(const command *c, uint32_t offset)
{
    const volatile uint32_t *words = command_words(c) + offset / 4u;
    return words[0] | (uint64_t)words[1] << 32;
}

#define command_get(c, field) wire_get(command_words(c), field)

/* Ends a command, with a status of nvme_codes.h. */
void command_end(const command *c, uint32_t status, uint64_t result);

/* How a move's fault ends a command. */
uint32_t command_fault_status(uint32_t fault);

/* Each begins a move of `dwords` dwords at `address` of the device's memory. With `next` that is called at its end; without, the
 * command ends with the move. One move of a command at a time. */
void command_to_host(command *c, uint64_t address, uint32_t dwords, command_step *next);
void command_from_host(command *c, uint64_t address, uint32_t dwords, command_step *next);
void command_fill(command *c, uint64_t address, uint32_t dwords, command_step *next);
void command_copy(command *c, uint64_t from, uint64_t address, uint32_t dwords, command_step *next);

/* The command's own place for answers in the device's memory, two pages. */
static inline uint32_t command_answer(const command *c)
{
    return DRIVE_ANSWERS_BASE + c->slot * (2u * DRIVE_UNIT_BYTES);
}

/* Answers a command with at most a page: `build` writes into zeros at command_answer(). */
void command_answer_with(command *c, uint32_t offset, uint32_t dwords, command_step *build);

/* Writes a field of a structure in the device's memory that was zero. */
static inline void answer_bits(uint32_t page, uint32_t word, uint32_t shift, uint32_t mask, uint32_t value)
{
    volatile uint8_t *at = drive_memory(page + 4u * word);
    if (mask == 0xFFFFFFFFu) {
        *(volatile uint32_t *)(uintptr_t)at = value;
    } else if (mask == 0xFFFFu && shift % 16u == 0u) {
        ((volatile uint16_t *)(uintptr_t)at)[shift / 16u] = (uint16_t)value;
    } else if (mask == 0xFFu && shift % 8u == 0u) {
        at[shift / 8u] = (uint8_t)value;
    } else {
        *(volatile uint32_t *)(uintptr_t)at |= (value & mask) << shift;
    }
}

#define answer_put(page, field, value) answer_bits(page, field##_WORD, field##_SHIFT, field##_MASK, value)

void answer_u64(uint32_t page, uint32_t offset, uint64_t value);

/* ASCII, filled with spaces to `size` bytes. */
void answer_text(uint32_t page, uint32_t offset, uint32_t size, const char *text);

/* Who carries out commands, by queue and namespace. */
void admin_command(command *c);
void nvm_command(command *c);
void slm_command(command *c);

#endif
