/*
 * Frames by UDP, for boards whose serial line goes nowhere: `unik.log=ADDRESS:PORT` on the kernel's command line. What
 * is said before the network is up is kept and sent then. Their numbers tell the reader what was lost on the way.
 */
#ifndef UNIK_DATAGRAMS_H
#define UNIK_DATAGRAMS_H

#include <stddef.h>

/* The network is up. Without the option nothing happens, here and below. */
void datagrams_open(void);
/* One whole frame. `twice`: it must arrive, and the reader takes one of two that are the same. */
void datagrams_send(const char *frame, size_t length, int twice);

#endif
