/* Small documents by HTTP/1.0 from a server on the next wire. */
#ifndef UNIK_HTTP_H
#define UNIK_HTTP_H

#include <stddef.h>

/* The body of a 200 answer, ended by a NUL; NULL otherwise. `status` gets the code, 0 without an answer. Free it. */
char *http_ask(const char *method, const char *address, const char *path, const char *header, size_t *length, int *status);

#endif
