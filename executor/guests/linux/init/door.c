#include "door.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "sha256.h"

/* So many callers at a time; one more takes the place of the oldest. */
enum { CALLERS = 8, NONCE = 32, SEAL = 2 * SHA256_BYTES, LINE = 512 };

struct caller {
  int socket;
  char nonce[NONCE + 1];
  char text[LINE];
  size_t length;
};

static int listener = -1, set = -1, next;
static char *token;
static struct caller callers[CALLERS];

static void put_hex(char *out, const unsigned char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void door_open(const struct json *door, int epoll) {
  const char *secret = json_text(door, "token");
  if (!secret) return;
  token = strdup(secret);
  set = epoll;
  for (int i = 0; i < CALLERS; i++) callers[i].socket = -1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)json_number(door, "port", 9967))};
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, CALLERS) < 0) {
    host_note("door: %s", strerror(errno));
    return;
  }
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
}

static void hang_up(struct caller *caller) {
  close(caller->socket);
  caller->socket = -1;
}

static void greet(void) {
  unsigned char random[NONCE / 2];
  char line[NONCE + 16];
  int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket < 0) return;
  struct caller *caller = &callers[next++ % CALLERS];
  if (caller->socket >= 0) hang_up(caller);
  *caller = (struct caller){.socket = socket};
  if (getrandom(random, sizeof random, 0) != sizeof random) return hang_up(caller);
  put_hex(caller->nonce, random, sizeof random);
  int length = snprintf(line, sizeof line, "unik 1 %s\n", caller->nonce);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
  epoll_ctl(set, EPOLL_CTL_ADD, socket, &event);
  if (send(socket, line, (size_t)length, MSG_NOSIGNAL) != length) hang_up(caller);
}

/* Takes as long for a wrong seal as for a right one. */
static bool is_sealed(const struct caller *caller, const char *command, size_t length) {
  unsigned char seal[SHA256_BYTES];
  char message[NONCE + LINE], wanted[SEAL + 1];
  memcpy(message, caller->nonce, NONCE);
  memcpy(message + NONCE, command, length);
  hmac_sha256(token, strlen(token), message, NONCE + length, seal);
  put_hex(wanted, seal, sizeof seal);
  unsigned char difference = 0;
  for (int i = 0; i < SEAL; i++) difference |= (unsigned char)(wanted[i] ^ caller->text[i]);
  return difference == 0;
}

/* "SEAL COMMAND\n" */
static void listen_to(struct caller *caller, void (*obey)(void *, const struct json *), void *whom) {
  ssize_t got = recv(caller->socket, caller->text + caller->length, LINE - caller->length, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return hang_up(caller);
  caller->length += (size_t)got;
  char *end = memchr(caller->text, '\n', caller->length);
  if (!end && caller->length < LINE) return;
  bool right = end && end > caller->text + SEAL + 1 &&
               is_sealed(caller, caller->text + SEAL + 1, (size_t)(end - caller->text - SEAL - 1));
  const char *answer = right ? "ok\n" : "no\n";
  send(caller->socket, answer, 3, MSG_NOSIGNAL);
  if (right) {
    *end = '\0';
    struct json *command = json_parse(caller->text + SEAL + 1, (size_t)(end - caller->text - SEAL - 1));
    if (command) obey(whom, command);
    json_free(command);
  }
  hang_up(caller);
}

bool door_handle(const struct epoll_event *event, void (*obey)(void *, const struct json *), void *whom) {
  if (listener < 0) return false;
  if (event->data.fd == listener) return greet(), true;
  for (int i = 0; i < CALLERS; i++) {
    if (callers[i].socket == event->data.fd) return listen_to(&callers[i], obey, whom), true;
  }
  return false;
}
