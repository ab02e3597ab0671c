#include "datagrams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "host.h"
#include "options.h"

enum { KEPT = 64 * 1024, PAUSE_MS = 20 };

static int to = -1, wanted = -1;
static char kept[KEPT];
static size_t kept_bytes;

static int is_wanted(void) {
  char target[64];
  if (wanted < 0) wanted = option_text("unik.log", target, sizeof target);
  return wanted;
}

/* A neighbour that is not known yet costs the first datagrams: they wait in the kernel, and only three of them. */
static void pause_shortly(void) { nanosleep(&(struct timespec){0, PAUSE_MS * 1000 * 1000}, NULL); }

static void send_kept(void) {
  for (size_t at = 0; at < kept_bytes;) {
    char *end = memchr(kept + at, '\n', kept_bytes - at);
    size_t length = end ? (size_t)(end - kept) + 1 - at : kept_bytes - at;
    if (send(to, kept + at, length, MSG_NOSIGNAL) < 0) host_note("unik.log: %s", strerror(errno));
    if (at == 0) pause_shortly();
    at += length;
  }
  kept_bytes = 0;
}

void datagrams_open(void) {
  char target[64];
  if (!option_text("unik.log", target, sizeof target)) return;
  char *colon = strchr(target, ':');
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (colon) *colon = '\0';
  if (!colon || inet_pton(AF_INET, target, &address.sin_addr) != 1) host_fail(126, "unik.log is no ADDRESS:PORT");
  address.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
  int opened = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (opened < 0 || connect(opened, (struct sockaddr *)&address, sizeof address) < 0) {
    host_note("unik.log: %s", strerror(errno));
    return;
  }
  to = opened;
  send_kept();
}

void datagrams_send(const char *frame, size_t length, int twice) {
  if (!is_wanted()) return;
  if (to >= 0) {
    /* A reader that is away for a moment must not stop the application. */
    for (int times = 0; times <= twice; times++) (void)!send(to, frame, length, MSG_NOSIGNAL);
  } else if (kept_bytes + length <= KEPT) {
    memcpy(kept + kept_bytes, frame, length);
    kept_bytes += length;
  }
}
