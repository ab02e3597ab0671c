/* A small JSON reader. It works inside the text it is given: strings are unescaped in place, nothing is copied. */
#ifndef UNIK_JSON_H
#define UNIK_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
  enum json_kind kind;
  /* Name of this member, where its parent is an object. */
  const char *key;
  /* A string's bytes, UTF-8 and ended by a NUL that `length` does not count. A string may hold NULs itself. */
  char *text;
  size_t length;
  /* A number, or 0 and 1 for a boolean. Fractions are dropped. */
  long number;
  struct json *first; /* of an array or object */
  struct json *next;  /* in the parent */
};

/* The document in text[0..length), or NULL when it is not one. text[length] must be writable. Free with json_free. */
struct json *json_parse(char *text, size_t length);
void json_free(struct json *root);

/* The member of an object, or NULL. */
struct json *json_member(const struct json *object, const char *key);
/* The text of a string member, or NULL when it is missing, no string, or holds a NUL. */
char *json_text(const struct json *object, const char *key);
/* The value of a number member, or `fallback`. */
long json_number(const struct json *object, const char *key, long fallback);
/* True for a string that C can carry: no NUL inside. */
bool json_is_plain(const struct json *value);

#endif
