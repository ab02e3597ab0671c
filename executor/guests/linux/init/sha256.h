/* SHA-256 (FIPS 180-4) and HMAC (RFC 2104) over short messages. */
#ifndef UNIK_SHA256_H
#define UNIK_SHA256_H

#include <stddef.h>

enum { SHA256_BYTES = 32 };

void hmac_sha256(const char *key, size_t key_length, const char *text, size_t length, unsigned char out[SHA256_BYTES]);

#endif
