/* What the kernel's command line says to init. */
#ifndef UNIK_OPTIONS_H
#define UNIK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* The value of NAME=VALUE on the command line, in `out`; false when it is not there. */
bool option_text(const char *name, char *out, size_t room);
long option_number(const char *name, long fallback);
bool option_is(const char *name, const char *value);

#endif
