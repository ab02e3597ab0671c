/* Addresses and names of this machine, from the `net` part of the instance config. */
#ifndef UNIK_NET_H
#define UNIK_NET_H

#include "json.h"

void net_configure(const struct json *net, const char *hostname);

#endif
