/* While the application runs: relays its output, obeys the host, reaps, and ends the machine when it has ended. */
#ifndef UNIK_WATCH_H
#define UNIK_WATCH_H

#include "config.h"
#include "host.h"
#include "lines.h"

/* Blocks SIGCHLD; must be called before the application is started. */
void watch_prepare(void);
struct watch;
/* Starts the application, or fails the machine with the reason. */
struct watch *watch_start(const struct config *config, const struct ports *ports, struct lines *commands);
_Noreturn void watch_loop(struct watch *watch);

#endif
