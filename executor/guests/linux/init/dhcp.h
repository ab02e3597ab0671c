/* A DHCP client (RFC 2131) for one interface and one lease. */
#ifndef UNIK_DHCP_H
#define UNIK_DHCP_H

#include <netinet/in.h>
#include <stdbool.h>

struct lease {
  struct in_addr address, mask, gateway;
  struct in_addr dns[3];
  int dns_count;
};

/* Asks until there is an answer; false after `seconds`. The interface must be up. */
bool dhcp_lease(const char *interface, int seconds, struct lease *lease);

#endif
