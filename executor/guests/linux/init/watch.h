/* While the application runs: relays its output, obeys the host, reaps, and ends the machine when it has ended. */
#ifndef UNIK_WATCH_H
#define UNIK_WATCH_H

#include "app.h"
#include "host.h"
#include "lines.h"

/* Blocks SIGCHLD; must be called before the application is started. */
void watch_prepare(void);
_Noreturn void watch_app(struct app app, const struct ports *ports, struct lines *commands);

#endif
