#include "fast.h"

static uint32_t setting;

static void set(uint32_t mask, bool value)
{
    setting = value ? setting | mask : setting & ~mask;
    drive_write(DRIVE_FAST, setting);
}

void fast_enable(bool on)
{
    set(DRIVE_FAST_ENABLE_MASK, on);
}

void fast_set_epoch(uint32_t epoch)
{
    set(DRIVE_FAST_EPOCH_MASK, epoch != 0u);
}
