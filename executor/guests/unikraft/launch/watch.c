/*
 * The application's system calls, as far as the host wants to know of them. In a library OS the application runs with
 * the kernel's rights, so the entry point of system calls can be turned to us: it tells the end of the application,
 * which the kernel survives, and keeps its output apart from the kernel's.
 */
#include "calls.h"
#include "host.h"

/* As entry.S has saved them. */
struct registers {
    long rax, rdi, rsi, rdx, r8, r9, r10, r11, rcx;
};

struct piece {
    const char *bytes;
    size_t length;
};

enum { ENTRY_REGISTER = 0xc0000082, SIGABRT = 6, SIGKILL = 9, MAX_PIECES = 1024 };

extern uint64_t kernel_entry;
void call_entry(void);

/* Whether the file is still what the application was started with. */
static uint8_t is_ours[3] = {0, 1, 1};

void watch_calls(void) {
    kernel_entry = read_msr(ENTRY_REGISTER);
    write_msr(ENTRY_REGISTER, (uint64_t)call_entry);
}

static uint16_t port_of(long file) { return file == 1 ? PORT_OUT : PORT_ERR; }

static int goes_out(long file) { return (file == 1 || file == 2) && is_ours[file]; }

static void given_away(long file) {
    if (file == 1 || file == 2) is_ours[file] = 0;
}

/* 1: done, with the result in rax. 0: the kernel's to do. */
int on_call(struct registers *r) {
    switch (r->rax) {
    case SYS_write:
        if (!goes_out(r->rdi)) return 0;
        send(port_of(r->rdi), (const char *)r->rsi, (size_t)r->rdx);
        r->rax = r->rdx;
        return 1;
    case SYS_writev: {
        if (!goes_out(r->rdi) || r->rdx < 0 || r->rdx > MAX_PIECES) return 0;
        const struct piece *pieces = (const struct piece *)r->rsi;
        long total = 0;
        for (long i = 0; i < r->rdx; i++) {
            send(port_of(r->rdi), pieces[i].bytes, pieces[i].length);
            total += (long)pieces[i].length;
        }
        r->rax = total;
        return 1;
    }
    case SYS_close:
        given_away(r->rdi);
        return 0;
    case SYS_dup2:
    case SYS_dup3:
        given_away(r->rsi);
        return 0;
    case SYS_exit_group:
        say_exit((int)(r->rdi & 0xff), 0);
    case SYS_kill:
    case SYS_tkill:
        if (r->rsi == SIGABRT || r->rsi == SIGKILL) say_exit(128 + (int)r->rsi, (int)r->rsi);
        return 0;
    case SYS_tgkill:
        if (r->rdx == SIGABRT || r->rdx == SIGKILL) say_exit(128 + (int)r->rdx, (int)r->rdx);
        return 0;
    default:
        return 0;
    }
}
