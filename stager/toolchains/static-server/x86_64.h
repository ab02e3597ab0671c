/* What the server asks of Linux on x86-64. */
#include "../../../executor/guests/unikraft/launch/calls.h"

enum { SYS_fstat = 5, SYS_poll = 7, SYS_rt_sigaction = 13, SYS_socket = 41, SYS_bind = 49, SYS_listen = 50 };
enum { SYS_setsockopt = 54, SYS_clock_gettime = 228, SYS_accept4 = 288 };
/* Words of `struct stat`. */
enum { STAT_MODE = 3, STAT_SIZE = 6 };

static inline long open_to_read(const char *path) { return call3(SYS_open, (long)path, 0, 0); }
static inline long wait_for(void *files, long count, long seconds) {
    return call3(SYS_poll, (long)files, count, seconds * 1000);
}
