# Reset of the drive's processor: a stack, zeroed variables, main. No interrupt is ever taken: they only end wfi.

    .section .text.start
    .globl _start
_start:
    la   sp, stack_top
    la   t0, trap
    csrw mtvec, t0
    la   t0, bss_start
    la   t1, bss_end
zero:
    bgeu t0, t1, run
    sw   zero, 0(t0)
    addi t0, t0, 4
    j    zero
run:
    call main

# What firmware must not do: shown outside with the place where it happened, and the host is told.
    .align 2
trap:
    csrr a0, mcause
    csrr a1, mepc
    call drive_died
    j    .
