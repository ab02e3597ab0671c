/* The host's side: where the configuration comes from, where events and output go, and the power switch. */
#ifndef UNIK_HOST_H
#define UNIK_HOST_H

#include <stddef.h>
#include <stdint.h>

/* Serial ports beside the kernel's own: the host keeps each in a file. */
enum { PORT_CONTROL = 0x2f8, PORT_OUT = 0x3e8, PORT_ERR = 0x2e8 };

void send(uint16_t port, const char *bytes, size_t length);
void say(const char *text);
/* {"event":"exit","code":CODE,"signal":SIGNAL}, signal 0: none. Then power off. */
void say_exit(int code, int signal) __attribute__((noreturn));
/* {"event":"failed","code":127,"message":"WHAT: PATH"}, then power off. */
void fail(const char *what, const char *path) __attribute__((noreturn));
/* The size of the host's file, 0 when there is none; `select` is its key. */
uint32_t config_size(uint16_t *select);
void config_read(uint16_t select, void *to, uint32_t bytes);

#endif
