#include "dhcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6 };
enum { MASK = 1, ROUTER = 3, NAME_SERVER = 6, WANTED_ADDRESS = 50, KIND = 53, SERVER = 54, LIST = 55, END = 255 };
enum { CLIENT_PORT = 68, SERVER_PORT = 67, HEAD = 240, ANSWER_MS = 2000 };

struct talk {
  int out, in;
  uint32_t id;
  unsigned char mac[6];
  struct in_addr server;
};

static unsigned char *put(unsigned char *at, int option, const void *bytes, size_t length) {
  *at++ = (unsigned char)option;
  *at++ = (unsigned char)length;
  memcpy(at, bytes, length);
  return at + length;
}

static bool say(const struct talk *talk, int kind, const struct lease *lease) {
  static const unsigned char list[] = {MASK, ROUTER, NAME_SERVER};
  unsigned char packet[HEAD + 64] = {1, 1, 6, 0};
  memcpy(packet + 4, &talk->id, 4);
  packet[10] = 0x80; /* answer to all, for we have no address */
  memcpy(packet + 28, talk->mac, sizeof talk->mac);
  memcpy(packet + 236, "\x63\x82\x53\x63", 4);
  unsigned char *end = put(packet + HEAD, KIND, &(unsigned char){(unsigned char)kind}, 1);
  if (kind == REQUEST) {
    end = put(end, WANTED_ADDRESS, &lease->address, 4);
    end = put(end, SERVER, &talk->server, 4);
  }
  end = put(end, LIST, list, sizeof list);
  *end = END;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(SERVER_PORT), .sin_addr.s_addr = INADDR_BROADCAST};
  /* Old servers want at least 300 bytes. */
  return sendto(talk->out, packet, sizeof packet < 300 ? 300 : sizeof packet, 0, (struct sockaddr *)&to, sizeof to) > 0;
}

static int read_options(const unsigned char *at, const unsigned char *end, struct talk *talk, struct lease *lease) {
  int kind = 0;
  while (at + 1 < end && *at != END) {
    if (*at == 0) {
      at++;
      continue;
    }
    const unsigned char *value = at + 2;
    int option = at[0], length = at[1];
    at = value + length;
    if (at > end) break;
    if (option == KIND && length == 1) kind = *value;
    if (option == SERVER && length == 4) memcpy(&talk->server, value, 4);
    if (option == MASK && length == 4) memcpy(&lease->mask, value, 4);
    if (option == ROUTER && length >= 4) memcpy(&lease->gateway, value, 4);
    for (int i = 0; option == NAME_SERVER && i + 4 <= length && i < 12; i += 4) {
      memcpy(&lease->dns[i / 4], value + i, 4);
      lease->dns_count = i / 4 + 1;
    }
  }
  return kind;
}

/* An IP packet that is an answer to us: its kind; else 0. */
static int read_answer(const unsigned char *packet, size_t length, struct talk *talk, struct lease *lease) {
  struct iphdr ip;
  struct udphdr udp;
  if (length < sizeof ip) return 0;
  memcpy(&ip, packet, sizeof ip);
  size_t head = ip.ihl * 4u;
  if (ip.protocol != IPPROTO_UDP || length < head + sizeof udp + HEAD) return 0;
  memcpy(&udp, packet + head, sizeof udp);
  const unsigned char *answer = packet + head + sizeof udp, *end = packet + length;
  if (ntohs(udp.uh_dport) != CLIENT_PORT || answer[0] != 2 || memcmp(answer + 4, &talk->id, 4) != 0) return 0;
  if (memcmp(answer + 28, talk->mac, sizeof talk->mac) != 0) return 0;
  memcpy(&lease->address, answer + 16, 4);
  return read_options(answer + HEAD, end, talk, lease);
}

/* Other answers than the wanted one are late ones to what was asked before: each would be taken for the next one's. */
static bool hear(struct talk *talk, struct lease *lease, int wanted) {
  unsigned char packet[2048];
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (;;) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    long left = ANSWER_MS - ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
    if (left <= 0 || poll(&(struct pollfd){.fd = talk->in, .events = POLLIN}, 1, (int)left) <= 0) return false;
    ssize_t got = recv(talk->in, packet, sizeof packet, 0);
    int kind = got > 0 ? read_answer(packet, (size_t)got, talk, lease) : 0;
    if (kind == wanted) return true;
    if (kind == NAK) return false;
  }
}

static bool open_talk(const char *interface, struct talk *talk) {
  struct ifreq request = {0};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
  talk->out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  talk->in = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETHERTYPE_IP));
  if (talk->out < 0 || talk->in < 0 || ioctl(talk->out, SIOCGIFHWADDR, &request) < 0) return false;
  memcpy(talk->mac, request.ifr_hwaddr.sa_data, sizeof talk->mac);
  if (ioctl(talk->out, SIOCGIFINDEX, &request) < 0) return false;
  struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_IP), .sll_ifindex = request.ifr_ifindex};
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(CLIENT_PORT)};
  setsockopt(talk->out, SOL_SOCKET, SO_BROADCAST, &(int){1}, sizeof(int));
  setsockopt(talk->out, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface));
  return bind(talk->in, (struct sockaddr *)&link, sizeof link) == 0 && bind(talk->out, (struct sockaddr *)&from, sizeof from) == 0;
}

bool dhcp_lease(const char *interface, int seconds, struct lease *lease) {
  struct talk talk = {.out = -1, .in = -1};
  bool got = false;
  if (open_talk(interface, &talk) && getrandom(&talk.id, sizeof talk.id, GRND_NONBLOCK) >= 0) {
    for (int tries = 0; !got && tries <= seconds * 1000 / ANSWER_MS; tries++) {
      *lease = (struct lease){0};
      if (!say(&talk, DISCOVER, lease)) host_note("dhcp: %s", strerror(errno));
      if (!hear(&talk, lease, OFFER)) continue;
      say(&talk, REQUEST, lease);
      got = hear(&talk, lease, ACK);
    }
  } else {
    host_fail(126, "DHCP cannot be asked: %s", strerror(errno));
  }
  if (talk.out >= 0) close(talk.out);
  if (talk.in >= 0) close(talk.in);
  return got;
}
