/* Whole small files at once. */
#ifndef UNIK_FILES_H
#define UNIK_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The file's content, ended by a NUL, or NULL. Free with file_free. */
char *file_read(const char *path);
/* The same, and how long it is. */
char *file_read_bytes(const char *path, size_t *length);
void file_free(char *content);
/* Writes to a file that exists, such as one in /proc. False, and errno, when it fails. */
bool file_write(const char *path, const char *text);
/* Makes or replaces a file and the folders above it. False, and errno, when it fails. */
bool file_put(const char *path, const char *bytes, size_t length, mode_t mode, uid_t owner);
/* Adds to the end of a file, made when missing. */
bool file_append(const char *path, const char *text);
void file_give(const char *path, uid_t owner);

#endif
