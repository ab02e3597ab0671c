/*
 * Where a machine has no virtio-serial ports: events, output and kernel lines as frames on one serial line. The line
 * form and why an application cannot forge one: docs/guest-protocol.md.
 */
#ifndef UNIK_SERIAL_H
#define UNIK_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Takes the serial line for us alone: opens it, removes its device nodes, and keeps the kernel from writing to it. It is
 * ttyS0, or what `unik.line` on the kernel's command line says; `none`: there is none, and frames go by datagrams alone.
 */
void serial_open(void);
bool serial_is_open(void);
/* `kind` is c (control), o (standard output), e (standard error) or k (kernel); bytes of any value. */
void serial_send(char kind, const char *bytes, size_t length);
/* The kernel's log, for epoll; -1 without one. */
int serial_kernel_log(void);
/* Sends what the kernel has said since. */
void serial_relay_kernel(void);
/* Waits until all is on the wire. */
void serial_drain(void);

#endif
