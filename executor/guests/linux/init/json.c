#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

struct reader {
  char *at;
  char *end;
};

static struct json *read_value(struct reader *in, int depth);

static void skip_space(struct reader *in) {
  while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\r' || *in->at == '\n')) in->at++;
}

static bool take(struct reader *in, char wanted) {
  skip_space(in);
  if (in->at >= in->end || *in->at != wanted) return false;
  in->at++;
  return true;
}

static bool take_word(struct reader *in, const char *word) {
  size_t length = strlen(word);
  if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0) return false;
  in->at += length;
  return true;
}

/* Four hexadecimal digits, or -1. */
static long read_hex4(struct reader *in) {
  long value = 0;
  if (in->end - in->at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    char c = *in->at++;
    if (c >= '0' && c <= '9') value = value * 16 + (c - '0');
    else if (c >= 'a' && c <= 'f') value = value * 16 + (c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') value = value * 16 + (c - 'A' + 10);
    else return -1;
  }
  return value;
}

static char *write_utf8(char *out, uint32_t point) {
  if (point < 0x80) {
    *out++ = (char)point;
  } else if (point < 0x800) {
    *out++ = (char)(0xc0 | point >> 6);
    *out++ = (char)(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    *out++ = (char)(0xe0 | point >> 12);
    *out++ = (char)(0x80 | (point >> 6 & 0x3f));
    *out++ = (char)(0x80 | (point & 0x3f));
  } else {
    *out++ = (char)(0xf0 | point >> 18);
    *out++ = (char)(0x80 | (point >> 12 & 0x3f));
    *out++ = (char)(0x80 | (point >> 6 & 0x3f));
    *out++ = (char)(0x80 | (point & 0x3f));
  }
  return out;
}

/* After `\u`: one code point, from two escapes where they are a surrogate pair; a lone surrogate becomes U+FFFD. */
static long read_unicode_escape(struct reader *in) {
  long point = read_hex4(in);
  if (point < 0xd800 || point > 0xdfff) return point;
  if (point > 0xdbff) return 0xfffd;
  struct reader ahead = *in;
  if (!take_word(&ahead, "\\u")) return 0xfffd;
  long low = read_hex4(&ahead);
  if (low < 0xdc00 || low > 0xdfff) return 0xfffd;
  *in = ahead;
  return 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
}

/* An escape is never shorter than what it stands for, so `out` never overtakes the reader. */
static char *read_escape(struct reader *in, char *out) {
  static const char names[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  if (in->at >= in->end) return NULL;
  char c = *in->at++;
  if (c == 'u') {
    long point = read_unicode_escape(in);
    return point < 0 ? NULL : write_utf8(out, (uint32_t)point);
  }
  const char *found = c ? strchr(names, c) : NULL;
  if (!found) return NULL;
  *out++ = meanings[found - names];
  return out;
}

/* The reader stands behind the opening quote. */
static bool read_string(struct reader *in, char **text, size_t *length) {
  char *start = in->at, *out = in->at;
  while (in->at < in->end && *in->at != '"') {
    if ((unsigned char)*in->at < 0x20) return false;
    if (*in->at != '\\') {
      *out++ = *in->at++;
      continue;
    }
    in->at++;
    out = read_escape(in, out);
    if (!out) return false;
  }
  if (in->at >= in->end) return false;
  in->at++;
  *out = '\0';
  *text = start;
  *length = (size_t)(out - start);
  return true;
}

static bool read_number(struct reader *in, long *number) {
  bool negative = in->at < in->end && *in->at == '-';
  if (negative) in->at++;
  char *digits = in->at;
  long value = 0;
  while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
    if (value < 1000000000000000L) value = value * 10 + (*in->at - '0');
    in->at++;
  }
  if (in->at == digits) return false;
  while (in->at < in->end && *in->at && strchr("0123456789.eE+-", *in->at)) in->at++;
  *number = negative ? -value : value;
  return true;
}

static bool read_members(struct reader *in, struct json *parent, int depth) {
  char close = parent->kind == JSON_OBJECT ? '}' : ']';
  struct json **tail = &parent->first;
  if (take(in, close)) return true;
  do {
    char *key = NULL;
    size_t key_length;
    if (parent->kind == JSON_OBJECT) {
      if (!take(in, '"') || !read_string(in, &key, &key_length) || !take(in, ':')) return false;
    }
    struct json *value = read_value(in, depth + 1);
    if (!value) return false;
    value->key = key;
    *tail = value;
    tail = &value->next;
  } while (take(in, ','));
  return take(in, close);
}

static bool read_into(struct reader *in, struct json *value, int depth) {
  skip_space(in);
  if (in->at >= in->end || depth > MAX_DEPTH) return false;
  if (take(in, '{')) return value->kind = JSON_OBJECT, read_members(in, value, depth);
  if (take(in, '[')) return value->kind = JSON_ARRAY, read_members(in, value, depth);
  if (take(in, '"')) return value->kind = JSON_STRING, read_string(in, &value->text, &value->length);
  if (take_word(in, "null")) return true;
  if (take_word(in, "false")) return value->kind = JSON_BOOL, true;
  if (take_word(in, "true")) return value->kind = JSON_BOOL, value->number = 1, true;
  return value->kind = JSON_NUMBER, read_number(in, &value->number);
}

static struct json *read_value(struct reader *in, int depth) {
  struct json *value = calloc(1, sizeof *value);
  if (!value) return NULL;
  if (read_into(in, value, depth)) return value;
  json_free(value);
  return NULL;
}

struct json *json_parse(char *text, size_t length) {
  struct reader in = {text, text + length};
  struct json *root = read_value(&in, 0);
  if (!root) return NULL;
  skip_space(&in);
  if (in.at == in.end) return root;
  json_free(root);
  return NULL;
}

void json_free(struct json *root) {
  while (root) {
    struct json *next = root->next;
    json_free(root->first);
    free(root);
    root = next;
  }
}

struct json *json_member(const struct json *object, const char *key) {
  if (!object || object->kind != JSON_OBJECT) return NULL;
  for (struct json *member = object->first; member; member = member->next) {
    if (strcmp(member->key, key) == 0) return member;
  }
  return NULL;
}

bool json_is_plain(const struct json *value) {
  return value && value->kind == JSON_STRING && strlen(value->text) == value->length;
}

char *json_text(const struct json *object, const char *key) {
  struct json *member = json_member(object, key);
  return json_is_plain(member) ? member->text : NULL;
}

long json_number(const struct json *object, const char *key, long fallback) {
  struct json *member = json_member(object, key);
  return member && member->kind == JSON_NUMBER ? member->number : fallback;
}
