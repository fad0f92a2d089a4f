/* What compilers call for structures. Volatile, or they would call themselves. */
#include <stddef.h>
#include <stdint.h>

void *memset(void *to, int value, size_t bytes);
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

void *memset(void *to, int value, size_t bytes)
{
    for (volatile uint8_t *at = to; bytes != 0u; bytes--) {
        *at++ = (uint8_t)value;
    }
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    volatile uint8_t *at = to;
    const uint8_t *source = from;

    for (size_t i = 0; i < bytes; i++) {
        at[i] = source[i];
    }
    return to;
}
