#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MOST = 1024 * 1024, PATIENCE_S = 5 };

static int reach(const char *address) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
  struct timeval patience = {.tv_sec = PATIENCE_S};
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server < 0) return -1;
  setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(server, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (inet_pton(AF_INET, address, &to.sin_addr) == 1 && connect(server, (struct sockaddr *)&to, sizeof to) == 0) return server;
  close(server);
  return -1;
}

/* All until the server hangs up, ended by a NUL; NULL when it breaks off or is too long. */
static char *read_all(int server, size_t *length) {
  size_t room = 64 * 1024;
  char *text = malloc(room + 1);
  *length = 0;
  while (text) {
    ssize_t got = recv(server, text + *length, room - *length, 0);
    if (got == 0) {
      text[*length] = '\0';
      return text;
    }
    if (got < 0 || *length + (size_t)got > MOST) break;
    *length += (size_t)got;
    if (*length < room) continue;
    char *larger = realloc(text, 2 * room + 1);
    if (!larger) break;
    text = larger;
    room *= 2;
  }
  free(text);
  return NULL;
}

char *http_ask(const char *method, const char *address, const char *path, const char *header, size_t *length, int *status) {
  char request[1024];
  *status = 0;
  int server = reach(address);
  if (server < 0) return NULL;
  int size = snprintf(request, sizeof request, "%s %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\nContent-Length: 0\r\n%s\r\n",
                      method, path, address, header);
  char *answer = send(server, request, (size_t)size, MSG_NOSIGNAL) == size ? read_all(server, length) : NULL;
  close(server);
  if (!answer) return NULL;
  char *body = strstr(answer, "\r\n\r\n");
  if (sscanf(answer, "HTTP/1.%*d %d", status) != 1 || *status != 200 || !body) {
    free(answer);
    return NULL;
  }
  body += 4;
  *length -= (size_t)(body - answer);
  memmove(answer, body, *length + 1);
  return answer;
}
