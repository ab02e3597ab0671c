/*
 * Where commands have no port of their own: a TCP port on which the host says one command a connection, sealed with
 * the instance's token. See docs/guest-protocol.md.
 */
#ifndef UNIK_DOOR_H
#define UNIK_DOOR_H

#include <stdbool.h>
#include <sys/epoll.h>

#include "json.h"

/* Listens as the config's `door` says, and adds itself to the epoll set. Nothing without one. */
void door_open(const struct json *door, int epoll);
/* True when the event was the door's. `obey` gets each command that carries the right seal. */
bool door_handle(const struct epoll_event *event, void (*obey)(void *, const struct json *), void *whom);

#endif
