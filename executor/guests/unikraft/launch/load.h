/* Puts a program and its loader into memory, as execve does. */
#ifndef UNIK_LOAD_H
#define UNIK_LOAD_H

#include <stdint.h>

struct loaded {
    uint64_t base;
    uint64_t entry;
    /* Where its program headers are in memory. */
    uint64_t headers;
    uint16_t header_count;
    /* The loader it names, "" when it needs none. */
    char interpreter[256];
};

/* Ends the machine with a `failed` event when it cannot. */
struct loaded load(const char *path);

#endif
