/* System calls and processor instructions of a program without a C library. */
#ifndef UNIK_CALLS_H
#define UNIK_CALLS_H

#include <stddef.h>
#include <stdint.h>

enum { SYS_read = 0, SYS_write = 1, SYS_open = 2, SYS_close = 3, SYS_mmap = 9, SYS_writev = 20, SYS_dup2 = 33 };
enum { SYS_kill = 62, SYS_chdir = 80, SYS_tkill = 200, SYS_exit_group = 231, SYS_tgkill = 234, SYS_dup3 = 292 };
enum { SYS_pread64 = 17, SYS_mkdir = 83 };

static inline long call6(long n, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long call3(long n, long a, long b, long c) { return call6(n, a, b, c, 0, 0, 0); }

static inline void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline void out16(uint16_t port, uint16_t value) { __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
static inline uint8_t in8(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline void in8s(uint16_t port, void *to, size_t bytes) {
    __asm__ volatile("rep insb" : "+D"(to), "+c"(bytes) : "d"(port) : "memory");
}
static inline uint64_t read_msr(uint32_t number) {
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}
static inline void write_msr(uint32_t number, uint64_t value) {
    __asm__ volatile("wrmsr" ::"c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

#endif
