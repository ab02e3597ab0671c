#include "inflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4 * 1024 * 1024, HEADER = 10, TRAILER = 8, LONGEST = 15, LITERALS = 288, DISTANCES = 30, ORDERS = 19, END = 256 };

/* Bits come lowest first. `failed`: something was asked for that is not there, or makes no sense. */
struct stream {
  const unsigned char *in;
  size_t left;
  uint32_t held;
  unsigned count;
  char *out;
  size_t size, room;
  bool failed;
};

/* A canonical Huffman code: how many symbols have each length, and the symbols by length. */
struct code {
  uint16_t counts[LONGEST + 1];
  uint16_t symbols[LITERALS];
};

static unsigned take(struct stream *s, unsigned bits) {
  while (s->count < bits) {
    if (s->left == 0) {
      s->failed = true;
      return 0;
    }
    s->held |= (uint32_t)*s->in++ << s->count;
    s->left--;
    s->count += 8;
  }
  unsigned value = s->held & ((1u << bits) - 1);
  s->held >>= bits;
  s->count -= bits;
  return value;
}

static void put(struct stream *s, char byte) {
  if (s->size == s->room) s->failed = true;
  else s->out[s->size++] = byte;
}

/* False: more codes of some length than there can be. */
static bool code_make(struct code *code, const unsigned char *lengths, unsigned n) {
  uint16_t next[LONGEST + 2] = {0};
  int free_codes = 1;
  memset(code, 0, sizeof *code);
  for (unsigned i = 0; i < n; i++) code->counts[lengths[i]]++;
  code->counts[0] = 0;
  for (unsigned length = 1; length <= LONGEST; length++) {
    free_codes = free_codes * 2 - code->counts[length];
    if (free_codes < 0) return false;
    next[length + 1] = (uint16_t)(next[length] + code->counts[length]);
  }
  for (unsigned i = 0; i < n; i++)
    if (lengths[i]) code->symbols[next[lengths[i]]++] = (uint16_t)i;
  return true;
}

static unsigned symbol(struct stream *s, const struct code *code) {
  unsigned value = 0, first = 0, index = 0;
  for (unsigned length = 1; length <= LONGEST && !s->failed; length++) {
    unsigned count = code->counts[length];
    value |= take(s, 1);
    if (value < first + count) return code->symbols[index + value - first];
    index += count;
    first = (first + count) << 1;
    value <<= 1;
  }
  s->failed = true;
  return END;
}

static void copy(struct stream *s, unsigned length, unsigned distance) {
  if (distance > s->size) s->failed = true;
  while (length-- > 0 && !s->failed) put(s, s->out[s->size - distance]);
}

static void block(struct stream *s, const struct code *literals, const struct code *distances) {
  static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                         31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
  static const unsigned char length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
  static const uint16_t distance_base[] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                                           193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
  for (;;) {
    unsigned next = symbol(s, literals);
    if (s->failed || next == END) return;
    if (next < END) {
      put(s, (char)next);
      continue;
    }
    next -= END + 1;
    if (next >= sizeof length_bits) break;
    unsigned length = length_base[next] + take(s, length_bits[next]);
    unsigned far = symbol(s, distances);
    if (s->failed || far >= DISTANCES) break;
    copy(s, length, distance_base[far] + take(s, far < 2 ? 0 : far / 2 - 1));
  }
  s->failed = true;
}

static void stored(struct stream *s) {
  s->held = s->count = 0;
  unsigned length = take(s, 16), inverse = take(s, 16);
  if (length != (~inverse & 0xffff)) s->failed = true;
  while (length-- > 0 && !s->failed) put(s, (char)take(s, 8));
}

static void fixed(struct stream *s) {
  unsigned char lengths[LITERALS];
  struct code literals, distances;
  for (unsigned i = 0; i < LITERALS; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  code_make(&literals, lengths, LITERALS);
  memset(lengths, 5, DISTANCES);
  code_make(&distances, lengths, DISTANCES);
  block(s, &literals, &distances);
}

/* The codes of the block come before it, themselves coded. */
static void dynamic(struct stream *s) {
  static const unsigned char order[ORDERS] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  unsigned char lengths[LITERALS + 32] = {0};
  struct code literals, distances;
  unsigned n = take(s, 5) + 257, far = take(s, 5) + 1, orders = take(s, 4) + 4, i = 0;
  for (unsigned at = 0; at < orders; at++) lengths[order[at]] = (unsigned char)take(s, 3);
  if (n > 286 || far > DISTANCES || !code_make(&literals, lengths, ORDERS)) s->failed = true;
  memset(lengths, 0, sizeof lengths);
  while (i < n + far && !s->failed) {
    unsigned next = symbol(s, &literals), times = 1;
    unsigned char length = (unsigned char)next;
    if (next == 16 && i == 0) s->failed = true;
    if (next == 16) length = i ? lengths[i - 1] : 0, times = 3 + take(s, 2);
    else if (next == 17) length = 0, times = 3 + take(s, 3);
    else if (next == 18) length = 0, times = 11 + take(s, 7);
    if (i + times > n + far) s->failed = true;
    while (times-- > 0 && !s->failed) lengths[i++] = length;
  }
  if (s->failed || !code_make(&literals, lengths, n) || !code_make(&distances, lengths + n, far)) s->failed = true;
  else block(s, &literals, &distances);
}

bool gzip_is(const char *bytes, size_t length) {
  return length > HEADER + TRAILER && memcmp(bytes, "\x1f\x8b\x08", 3) == 0;
}

char *gzip_unpack(const char *bytes, size_t length) {
  if (!gzip_is(bytes, length) || bytes[3] != 0) return NULL;
  const unsigned char *end = (const unsigned char *)bytes + length - 4;
  size_t room = end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
  char *out = room <= MOST ? malloc(room + 1) : NULL;
  if (!out) return NULL;
  struct stream s = {.in = (const unsigned char *)bytes + HEADER, .left = length - HEADER - TRAILER, .out = out, .room = room};
  for (bool last = false; !last && !s.failed;) {
    last = take(&s, 1);
    unsigned kind = take(&s, 2);
    if (kind == 0) stored(&s);
    else if (kind == 1) fixed(&s);
    else if (kind == 2) dynamic(&s);
    else s.failed = true;
  }
  out[s.size] = '\0';
  if (!s.failed && s.size == room) return out;
  free(out);
  return NULL;
}
