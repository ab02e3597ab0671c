/* Where the kernel starts a program of ours: `launch` gets the stack as it is. */
    .section .note.GNU-stack, "", @progbits
    .text
    .globl _start
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    and $-16, %rsp
    call launch
    ud2
