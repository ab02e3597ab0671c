#include "lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

enum { PIECE = 64 * 1024, MAX_LINE = 16 * 1024 * 1024 };

void lines_read(struct lines *lines) {
  for (;;) {
    if (lines->room - lines->length < PIECE) {
      if (lines->room > MAX_LINE) host_fail(126, "the instance config is longer than 16 MB");
      size_t room = lines->room ? lines->room * 2 : 2 * PIECE;
      char *larger = realloc(lines->text, room);
      if (!larger) host_fail(126, "no memory for the instance config");
      lines->text = larger;
      lines->room = room;
    }
    ssize_t got = read(lines->port, lines->text + lines->length, lines->room - lines->length);
    if (got <= 0) return; /* nothing now, or the host is not connected */
    lines->length += (size_t)got;
  }
}

char *lines_next(struct lines *lines, size_t *length) {
  if (lines->taken > 0) {
    lines->length -= lines->taken;
    memmove(lines->text, lines->text + lines->taken, lines->length);
    lines->taken = 0;
    lines->looked = 0;
  }
  char *end = lines->length > lines->looked
                  ? memchr(lines->text + lines->looked, '\n', lines->length - lines->looked)
                  : NULL;
  if (!end) {
    lines->looked = lines->length;
    return NULL;
  }
  *end = '\0';
  *length = (size_t)(end - lines->text);
  lines->taken = *length + 1;
  return lines->text;
}

char *lines_keep(struct lines *lines) {
  char *kept = lines->text;
  size_t left = lines->length - lines->taken;
  char *rest = malloc(left + 2 * PIECE);
  if (!rest) host_fail(126, "no memory for the instance config");
  memcpy(rest, kept + lines->taken, left);
  *lines = (struct lines){.port = lines->port, .text = rest, .length = left, .room = left + 2 * PIECE};
  return kept;
}

void lines_shrink(struct lines *lines) {
  if (lines->length > lines->taken || lines->room <= 2 * PIECE) return;
  free(lines->text);
  lines->text = NULL;
  lines->length = lines->looked = lines->taken = lines->room = 0;
}
