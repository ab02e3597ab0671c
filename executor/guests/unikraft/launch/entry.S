/* Where we hand over, and where the application's system calls pass by. */
    .section .note.GNU-stack, "", @progbits
    .text

/* void enter(void *stack, void *entry): as the kernel starts a program. */
    .globl enter
    .hidden enter
enter:
    mov %rdi, %rsp
    xor %edx, %edx
    xor %ebp, %ebp
    jmp *%rsi

/*
 * Takes the place of the kernel's own entry. Only the numbers that on_call (watch.c) knows leave the fast path. Like a kernel it
 * keeps every register but rax, rcx, r11, and leaves the 128 bytes below the stack pointer alone.
 */
    .globl call_entry
    .hidden call_entry
call_entry:
    cmp $1, %rax
    je 1f
    cmp $20, %rax
    je 1f
    cmp $231, %rax
    je 1f
    cmp $3, %rax
    je 1f
    cmp $33, %rax
    je 1f
    cmp $292, %rax
    je 1f
    cmp $62, %rax
    je 1f
    cmp $200, %rax
    je 1f
    cmp $234, %rax
    je 1f
    jmp *kernel_entry(%rip)
1:  lea -128(%rsp), %rsp
    push %rbp
    mov %rsp, %rbp
    push %rcx
    push %r11
    push %r10
    push %r9
    push %r8
    push %rdx
    push %rsi
    push %rdi
    push %rax
    mov %rsp, %rdi
    and $-16, %rsp
    call on_call
    lea -72(%rbp), %rsp
    mov %eax, %r11d
    pop %rax
    pop %rdi
    pop %rsi
    pop %rdx
    pop %r8
    pop %r9
    pop %r10
    test %r11d, %r11d
    jz 3f
    popfq
    pop %rcx
    pop %rbp
    lea 128(%rsp), %rsp
    jmp *%rcx
3:  pop %r11
    pop %rcx
    pop %rbp
    lea 128(%rsp), %rsp
    jmp *kernel_entry(%rip)

    .bss
    .globl kernel_entry
    .hidden kernel_entry
    .balign 8
kernel_entry:
    .skip 8
