/* Addresses and names of this machine, from the `net` part of the instance config. */
#ifndef UNIK_NET_H
#define UNIK_NET_H

#include "json.h"

/* Address, route and name servers from DHCP, once; fails the machine without an answer. */
void net_dhcp(void);
/* Nothing reaches this address from now on. */
void net_block(const char *address);
void net_configure(const struct json *net, const char *hostname);

#endif
