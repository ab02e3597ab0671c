    .section .note.GNU-stack, "", @progbits
    .text
    .globl _start
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    and $-16, %rsp
    call launch
    ud2
