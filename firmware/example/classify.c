/* Classifies images: for each entry of a list in DRAM it runs a network on the accelerator, waits for the end by interrupt,
 * by polling, or doing something else meanwhile, finds the largest output and writes down what happened. Whoever loads the DRAM writes the list. */
#include "soc.h"
#include "tenon_driver.h"

#define BY_INTERRUPT 1u
#define BY_WORKING 2u

#define SCRATCH_WORDS 16u

/* One entry: addresses are the accelerator's. The second half is for the answers. */
typedef struct {
    uint32_t image;  /* of the program */
    uint32_t bytes;  /* of that */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t arena;
    uint32_t flags;  /* BY_INTERRUPT, BY_WORKING, or 0: by polling */
    uint32_t cycles; /* the longest that the run may take, of the accelerator's clock; 0: any time */
    uint32_t scratch; /* SCRATCH_WORDS words for what is done meanwhile */

    uint32_t result; /* of the first function of the driver's that did not answer TENON_OK */
    uint32_t index;  /* of the instruction that was refused, if one was */
    uint32_t taken;  /* cycles that the run took */
    uint32_t interrupts; /* the accelerator's, so far */
    uint32_t largest; /* index of the largest element of output 0 */
    uint32_t rounds;  /* of what was done meanwhile */
    uint32_t unused[2];
} entry;

/* The list lies at the start of the DRAM. */
typedef struct {
    uint32_t count;
    uint32_t reserved[15];
    entry entries[];
} list;

static tenon_device tenon;
static volatile uint32_t interrupts;

/* Called by startup.S. Nothing but the accelerator's interrupt is expected; anything else ends the simulation with the
 * place where it happened. */
void handle_trap(uint32_t cause, uint32_t address);
void handle_trap(uint32_t cause, uint32_t address)
{
    if (cause == 0x8000000Bu && tenon_interrupt(&tenon)) {
        interrupts = interrupts + 1;
    } else {
        soc_exit(address);
    }
}

/* Sleeps until the interrupt's handler has run; `context` is the number of interrupts before the start. Interrupts
 * are off between the look at the number and wfi, so that none can slip in between and be waited for in vain. */
static bool sleep(void *context)
{
    const uint32_t before = *(const uint32_t *)context;

    while (interrupts == before) {
        soc_interrupts_off();
        if (interrupts == before) {
            soc_sleep();
        }
        soc_interrupts_on(); /* a pending interrupt is taken here */
    }
    return true;
}

/* Something else to do: counts in every word of a scratch area in the DRAM that both share. */
typedef struct {
    uint32_t *scratch;
    uint32_t rounds;
} meanwhile;

static bool work(void *context)
{
    meanwhile *state = context;

    soc_invalidate_cache(); /* only so that this goes to the DRAM */
    for (uint32_t i = 0; i < SCRATCH_WORDS; i++) {
        state->scratch[i] += i;
    }
    state->rounds++;
    return true;
}

static uint32_t largest_of(const tenon_tensor *tensor, const void *outputs)
{
    const uint8_t *unsigned_bytes = (const uint8_t *)outputs + tensor->offset;
    const int8_t *signed_bytes = (const int8_t *)outputs + tensor->offset;
    uint32_t largest = 0;

    for (uint32_t i = 1; i < tenon_elements(tensor); i++) {
        if (tensor->is_signed != 0 ? signed_bytes[i] > signed_bytes[largest] : unsigned_bytes[i] > unsigned_bytes[largest]) {
            largest = i;
        }
    }
    return largest;
}

static tenon_result classify(entry *e)
{
    tenon_buffers buffers = {.inputs = e->inputs, .outputs = e->outputs, .arena = e->arena};
    bool by_interrupt = (e->flags & BY_INTERRUPT) != 0;
    bool by_working = (e->flags & BY_WORKING) != 0;
    meanwhile state = {.scratch = soc_pointer(e->scratch), .rounds = 0};
    uint32_t before = interrupts;
    tenon_program program;
    tenon_result result = tenon_open(&tenon, &program, soc_pointer(e->image), e->bytes, e->image);

    if (result == TENON_OK) {
        result = tenon_start(&tenon, &program, &buffers, by_interrupt);
    }
    if (result != TENON_OK) {
        return result;
    }
    result = by_interrupt ? tenon_wait(&tenon, sleep, &before)
             : by_working ? tenon_wait(&tenon, work, &state)
                          : tenon_poll(&tenon, e->cycles);
    e->rounds = state.rounds;
    e->index = tenon_index(&tenon);
    e->taken = tenon_counter(&tenon, TENON_COUNTER_CYCLES);
    if (result == TENON_TIMEOUT) {
        tenon_stop(&tenon); /* it still writes to its buffers, and will not for long */
        (void)tenon_poll(&tenon, 0);
    }
    if (result == TENON_OK) {
        soc_invalidate_cache(); /* the accelerator has written to memory that may be in it */
        e->largest = largest_of(tenon_output(&program, 0), soc_pointer(e->outputs));
    }
    return result;
}

int main(void)
{
    list *work = soc_pointer(0);
    tenon_result result = tenon_probe(&tenon, SOC_TENON);

    if (result != TENON_OK) {
        soc_exit(result);
    }
    soc_enable_interrupt();
    soc_interrupts_on();
    for (uint32_t i = 0; i < work->count; i++) {
        work->entries[i].result = classify(&work->entries[i]);
        work->entries[i].interrupts = interrupts;
    }
    soc_exit(TENON_OK);
    return 0;
}
