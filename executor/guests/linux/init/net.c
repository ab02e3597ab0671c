#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dhcp.h"
#include "files.h"
#include "host.h"

static struct ifreq request_for(const char *interface) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
  return request;
}

static struct sockaddr address_of(in_addr_t address) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = address};
  struct sockaddr any;
  memcpy(&any, &in, sizeof any);
  return any;
}

static void bring_up(int control, const char *interface) {
  struct ifreq request = request_for(interface);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(control, SIOCSIFFLAGS, &request) < 0) host_fail(126, "%s: up: %s", interface, strerror(errno));
}

/* Splits "10.0.0.2/24" into address and mask, network byte order. */
static void parse_cidr(const char *cidr, struct in_addr *address, in_addr_t *mask) {
  char text[32];
  snprintf(text, sizeof text, "%s", cidr);
  char *slash = strchr(text, '/');
  long bits = slash ? strtol(slash + 1, NULL, 10) : 32;
  if (slash) *slash = '\0';
  if (bits < 0 || bits > 32 || inet_pton(AF_INET, text, address) != 1) host_fail(126, "net.address %s is wrong", cidr);
  *mask = bits == 0 ? 0 : htonl(0xffffffffu << (32 - bits));
}

static void set_address(int control, const char *interface, const char *cidr) {
  struct in_addr address;
  in_addr_t mask;
  parse_cidr(cidr, &address, &mask);
  struct ifreq request = request_for(interface);
  request.ifr_addr = address_of(address.s_addr);
  if (ioctl(control, SIOCSIFADDR, &request) < 0) host_fail(126, "%s: address %s: %s", interface, cidr, strerror(errno));
  request.ifr_netmask = address_of(mask);
  if (ioctl(control, SIOCSIFNETMASK, &request) < 0) host_fail(126, "%s: mask of %s: %s", interface, cidr, strerror(errno));
}

static void set_gateway(int control, const char *gateway) {
  struct in_addr address;
  if (inet_pton(AF_INET, gateway, &address) != 1) host_fail(126, "net.gateway %s is wrong", gateway);
  struct rtentry route;
  memset(&route, 0, sizeof route);
  route.rt_dst = address_of(INADDR_ANY);
  route.rt_genmask = address_of(INADDR_ANY);
  route.rt_gateway = address_of(address.s_addr);
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  if (ioctl(control, SIOCADDRT, &route) < 0) host_fail(126, "route by %s: %s", gateway, strerror(errno));
}

/* Drivers find their devices in their own time. */
static void await_interface(int control, const char *interface) {
  for (int ticks = 0; ticks < 500; ticks++) {
    struct ifreq request = request_for(interface);
    if (ioctl(control, SIOCGIFINDEX, &request) == 0) return;
    nanosleep(&(struct timespec){0, 20 * 1000 * 1000}, NULL);
  }
  host_fail(126, "no network device: this machine's needs a driver that the guest lacks");
}

static struct lease lease;
static char leased_address[32];

static int mask_bits(in_addr_t mask) { return __builtin_popcount(mask); }

void net_dhcp(void) {
  enum { PATIENCE_S = 60 };
  char gateway[INET_ADDRSTRLEN];
  if (*leased_address) return;
  int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) host_fail(126, "socket: %s", strerror(errno));
  await_interface(control, "eth0");
  bring_up(control, "eth0");
  if (!dhcp_lease("eth0", PATIENCE_S, &lease)) host_fail(126, "no answer to DHCP within %d s", PATIENCE_S);
  inet_ntop(AF_INET, &lease.address, leased_address, sizeof leased_address);
  size_t length = strlen(leased_address);
  snprintf(leased_address + length, sizeof leased_address - length, "/%d", mask_bits(lease.mask.s_addr));
  set_address(control, "eth0", leased_address);
  if (lease.gateway.s_addr) set_gateway(control, inet_ntop(AF_INET, &lease.gateway, gateway, sizeof gateway));
  close(control);
}

void net_block(const char *address) {
  struct in_addr target;
  struct rtentry route;
  int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  memset(&route, 0, sizeof route);
  inet_pton(AF_INET, address, &target);
  route.rt_dst = address_of(target.s_addr);
  route.rt_genmask = address_of(INADDR_BROADCAST);
  route.rt_flags = RTF_UP | RTF_HOST | RTF_REJECT;
  if (ioctl(control, SIOCADDRT, &route) < 0) host_note("block %s: %s", address, strerror(errno));
  close(control);
}

static void write_resolver(const struct json *dns) {
  char text[1024];
  int length = 0;
  for (int i = 0; !(dns && dns->first) && i < lease.dns_count; i++) {
    char server[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &lease.dns[i], server, sizeof server);
    length += snprintf(text + length, sizeof text - (size_t)length, "nameserver %s\n", server);
  }
  for (const struct json *server = dns ? dns->first : NULL; server; server = server->next) {
    if (!json_is_plain(server) || length + server->length + 16 > sizeof text) continue;
    length += snprintf(text + length, sizeof text - (size_t)length, "nameserver %s\n", server->text);
  }
  if (!file_put("/run/resolv.conf", text, (size_t)length, 0644, 0)) host_note("resolv.conf: %s", strerror(errno));
  /* Images link it already; one that has no file at all gets the link here. */
  if (symlink("../run/resolv.conf", "/etc/resolv.conf") < 0 && errno != EEXIST) host_note("resolv.conf: %s", strerror(errno));
}

static void write_hosts(const char *cidr, const char *hostname) {
  char text[512];
  int address = cidr ? (int)strcspn(cidr, "/") : 0;
  snprintf(text, sizeof text, "127.0.0.1 localhost\n::1 localhost\n%.*s %s\n", cidr ? address : 9, cidr ? cidr : "127.0.1.1", hostname);
  if (!file_append("/etc/hosts", text)) host_note("/etc/hosts: %s", strerror(errno));
}

/* Who made the machine does not hear what DHCP says to it. */
static void tell_address(void) {
  char line[96];
  snprintf(line, sizeof line, "{\"event\":\"address\",\"address\":\"%.*s\"}", (int)strcspn(leased_address, "/"), leased_address);
  host_event(line);
}

void net_configure(const struct json *net, const char *hostname) {
  const char *mode = json_text(net, "mode"), *address = json_text(net, "address"), *gateway = json_text(net, "gateway");
  if (sethostname(hostname, strlen(hostname)) < 0) host_note("hostname %s: %s", hostname, strerror(errno));
  int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) host_fail(126, "socket: %s", strerror(errno));
  bring_up(control, "lo");
  if (mode && strcmp(mode, "static") == 0) {
    if (!address) host_fail(126, "instance config: net.address is missing");
    await_interface(control, "eth0");
    set_address(control, "eth0", address);
    bring_up(control, "eth0");
    if (gateway) set_gateway(control, gateway);
  } else if (mode && strcmp(mode, "dhcp") == 0) {
    net_dhcp();
    address = leased_address;
    tell_address();
  } else if (mode && strcmp(mode, "none") != 0) {
    host_fail(126, "instance config: this guest has no net.mode %s", mode);
  } else {
    address = NULL;
  }
  close(control);
  write_resolver(json_member(net, "dns"));
  write_hosts(address, hostname);
}
