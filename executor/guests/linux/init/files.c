#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

char *file_read(const char *path) {
  size_t length;
  return file_read_bytes(path, &length);
}

char *file_read_bytes(const char *path, size_t *length_of) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return NULL;
  size_t room = 4096, length = 0;
  char *content = malloc(room);
  /* Files in /proc and /sys have no size: read until nothing comes. */
  for (ssize_t got; content && (got = read(file, content + length, room - length - 1)) > 0;) {
    length += (size_t)got;
    if (room - length > 1) continue;
    char *larger = realloc(content, room *= 2);
    if (!larger) free(content);
    content = larger;
  }
  close(file);
  if (content) content[length] = '\0';
  *length_of = length;
  return content;
}

void file_free(char *content) { free(content); }

static bool write_all(int file, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t done = write(file, bytes, length);
    if (done < 0) return false;
    bytes += done;
    length -= (size_t)done;
  }
  return true;
}

static bool write_and_close(int file, const char *bytes, size_t length) {
  if (file < 0) return false;
  bool ok = write_all(file, bytes, length);
  int reason = errno;
  if (close(file) < 0 && ok) return false;
  errno = reason;
  return ok;
}

bool file_write(const char *path, const char *text) {
  return write_and_close(open(path, O_WRONLY | O_CLOEXEC), text, strlen(text));
}

bool file_append(const char *path, const char *text) {
  return write_and_close(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644), text, strlen(text));
}

static void make_folders_above(const char *path) {
  char folder[4096];
  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    size_t length = (size_t)(slash - path);
    if (length >= sizeof folder) return;
    memcpy(folder, path, length);
    folder[length] = '\0';
    mkdir(folder, 0755);
  }
}

bool file_put(const char *path, const char *bytes, size_t length, mode_t mode, uid_t owner) {
  make_folders_above(path);
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file < 0) return false;
  bool given = fchown(file, owner, owner) == 0 && fchmod(file, mode) == 0;
  return write_and_close(file, bytes, length) && given;
}

void file_give(const char *path, uid_t owner) {
  if (chown(path, owner, owner) < 0) host_note("chown %s: %s", path, strerror(errno));
}
