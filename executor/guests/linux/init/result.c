#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

/* As much as Diego's rep takes. */
enum { MAX_RESULT = 51200 };

/* Whatever the application left there must not make us wait: a pipe, a device. NULL: none, with the reason. */
static unsigned char *content_of(const char *path, size_t *length, const char **why) {
  struct stat status;
  int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file < 0 || fstat(file, &status) < 0) {
    *why = strerror(errno);
    if (file >= 0) close(file);
    return NULL;
  }
  unsigned char *content = S_ISREG(status.st_mode) ? malloc(MAX_RESULT + 1) : NULL;
  *why = content ? NULL : "not a regular file";
  *length = 0;
  for (ssize_t got = 1; content && got > 0 && *length <= MAX_RESULT; *length += (size_t)got) {
    got = read(file, content + *length, MAX_RESULT + 1 - *length);
    if (got < 0) got = 0, *why = strerror(errno);
  }
  close(file);
  if (!*why && *length > MAX_RESULT) *why = "larger than 51200 bytes";
  if (!*why) return content;
  free(content);
  return NULL;
}

static char *put_base64(char *out, const unsigned char *bytes, size_t length) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < length; i += 3) {
    size_t left = length - i;
    unsigned long three = (unsigned long)bytes[i] << 16;
    if (left > 1) three |= (unsigned long)bytes[i + 1] << 8;
    if (left > 2) three |= bytes[i + 2];
    *out++ = digits[three >> 18];
    *out++ = digits[three >> 12 & 63];
    *out++ = left > 1 ? digits[three >> 6 & 63] : '=';
    *out++ = left > 2 ? digits[three & 63] : '=';
  }
  return out;
}

void result_event(const char *path) {
  if (!path) return;
  static const char head[] = "{\"event\":\"result\",\"base64\":\"";
  size_t length;
  const char *why;
  unsigned char *content = content_of(path, &length, &why);
  char *line = content ? malloc(sizeof head + (length + 2) / 3 * 4 + 3) : NULL;
  if (line) {
    char *end = put_base64(stpcpy(line, head), content, length);
    strcpy(end, "\"}");
    host_event(line);
  } else {
    host_result_missing(why ? why : "no memory to read it");
  }
  free(line);
  free(content);
}
