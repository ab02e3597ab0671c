/* Lines from the config port, which may be megabytes long and come in pieces. */
#ifndef UNIK_LINES_H
#define UNIK_LINES_H

#include <stddef.h>

struct lines {
  int port;
  char *text;
  size_t length; /* bytes held */
  size_t looked; /* of those, known to hold no line end */
  size_t taken;  /* bytes of the line last given */
  size_t room;
};

/* Takes all that the port has now. */
void lines_read(struct lines *lines);
/* The next whole line without its end, and its length; NULL when there is none. It stays valid until the next call. */
char *lines_next(struct lines *lines, size_t *length);
/* The memory in which the line last given lies, for the caller to free; what came after it stays here. */
char *lines_keep(struct lines *lines);
/* Gives memory back that a long line has needed. */
void lines_shrink(struct lines *lines);

#endif
