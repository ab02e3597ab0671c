/*
 * The program that says whether the application is well, run again and again beside it: often until it has ended with
 * status 0 once, then seldom. Each change is told on the control port; after the first failure that follows a success
 * it is over.
 */
#ifndef UNIK_MONITOR_H
#define UNIK_MONITOR_H

#include "config.h"
#include "steps.h"

struct monitor {
  struct step *steps; /* NULL: there is none */
  int64_t next_at;    /* monotonic milliseconds; 0: it is over */
  bool looking;       /* it runs */
  long startup_ms;
  long interval_ms;
  bool passing;
};

struct monitor monitor_from(const struct config *config);
/* Starts what is due and tells what came of it. Gives when to come again, monotonic milliseconds; 0: never. */
int64_t monitor_advance(struct monitor *monitor, const struct app *app);

#endif
