/* A compiled network as one block of memory, the file image.bin of a program's folder: this header, the tensors that
 * the host writes and reads, constants, instructions. Words are 32 bits, little endian. */
#ifndef TENON_IMAGE_H
#define TENON_IMAGE_H

#include <stdint.h>

#define TENON_IMAGE_MAGIC 0x4D494E54u /* "TNIM" in memory */
#define TENON_IMAGE_VERSION 1u

/* A multiple of it in the accelerator's address space is where an image must lie. */
#define TENON_IMAGE_ALIGNMENT 128u

/* What an image begins with. Offsets are bytes from the start of the image. */
typedef struct {
    uint32_t magic;
    uint32_t version;
    uint32_t fingerprint;      /* of the hardware that it was compiled for: equals register FINGERPRINT */
    uint32_t bytes;            /* of the whole image */
    uint32_t code;             /* offset of the first instruction, a multiple of TENON_IMAGE_ALIGNMENT */
    uint32_t instructions;     /* END included */
    uint32_t constants;        /* offset of the constants */
    uint32_t constants_bytes;
    uint32_t arena_bytes;      /* memory for intermediate tensors; holds nothing between runs */
    uint32_t inputs_bytes;     /* memory for all inputs of one run */
    uint32_t outputs_bytes;    /* memory for all outputs of one run */
    uint32_t inputs;           /* number of input tensors */
    uint32_t outputs;          /* number of output tensors */
    uint32_t tensors;          /* offset of the tensors: the inputs, then the outputs, in the model's order */
    uint32_t reserved[2];
} tenon_image;

/* One input or output: bytes in order batch, height, width, channel (the last varies fastest), without gaps.
 * A byte b stands for the real number scale * (b - zero_point). */
typedef struct {
    uint32_t segment;          /* TENON_SEGMENT_INPUTS or _OUTPUTS (an output that is an input's copy may be there) */
    uint32_t offset;           /* bytes from the base of that segment */
    uint32_t batch;
    uint32_t height;
    uint32_t width;
    uint32_t channels;
    uint32_t is_signed;        /* 0: uint8, 1: int8 */
    int32_t zero_point;
    uint32_t scale_bits;       /* the scale's IEEE 754 binary32, as bits: reading it needs no floating point */
} tenon_tensor;

#endif
