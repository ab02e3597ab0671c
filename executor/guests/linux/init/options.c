#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

bool option_text(const char *name, char *out, size_t room) {
  char *line = file_read("/proc/cmdline"), *rest = line;
  size_t length = strlen(name);
  bool found = false;
  for (char *word; !found && (word = strsep(&rest, " \n"));) {
    if (strncmp(word, name, length) != 0 || word[length] != '=') continue;
    snprintf(out, room, "%s", word + length + 1);
    found = true;
  }
  file_free(line);
  return found;
}

long option_number(const char *name, long fallback) {
  char text[32];
  return option_text(name, text, sizeof text) ? strtol(text, NULL, 10) : fallback;
}

bool option_is(const char *name, const char *value) {
  char text[64];
  return option_text(name, text, sizeof text) && strcmp(text, value) == 0;
}
