/* What init says to the host: events on the control port, and the end of the machine. See docs/guest-protocol.md. */
#ifndef UNIK_HOST_H
#define UNIK_HOST_H

#include <sys/types.h>

struct ports {
  int config;
  int control;
  int out;
  int err;
};

/*
 * Finds the four ports by name and opens them; waits for them as the kernel finds them one by one. With `unik.channel`
 * `serial` on the kernel's command line there are none, and all goes over the serial line.
 */
void host_open_ports(struct ports *ports);

/* Writes one event, as it is, to the control port. */
void host_event(const char *json_line);
void host_started_event(pid_t pid);
/* {"event":"exit",...} from what waitpid gave. */
void host_exit_event(int status);

/* {"event":"result","error":...}: there is no content to tell. */
void host_result_missing(const char *why);

/* A line on the kernel's console, for people who debug a boot. */
void host_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The application cannot run: says so on the control port and on the console, and ends the machine. */
_Noreturn void host_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Closes the ports, which makes sure the host has all that was written, and ends the machine: `unik.end`. */
_Noreturn void host_end(void);

#endif
