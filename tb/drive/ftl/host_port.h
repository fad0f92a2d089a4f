/* The port of firmware that is built into a process: registers and memory are those of model.c. */
#ifndef DRIVE_HOST_PORT_H
#define DRIVE_HOST_PORT_H

uint32_t drive_read(uint32_t offset);
void drive_write(uint32_t offset, uint32_t value);
volatile uint8_t *drive_memory(uint32_t address);

#endif
