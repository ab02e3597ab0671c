/* Unpacks what `gzip` packed (RFC 1951, RFC 1952), for configs that a provider carries only when they are small. */
#ifndef UNIK_INFLATE_H
#define UNIK_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

bool gzip_is(const char *bytes, size_t length);
/* The content, ended by a NUL; NULL where it is damaged, too large, or has a name or comment of its own. Free it. */
char *gzip_unpack(const char *bytes, size_t length);

#endif
