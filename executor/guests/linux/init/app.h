/* The application: one unprivileged process and whatever it starts, in a cgroup that bounds its memory. */
#ifndef UNIK_APP_H
#define UNIK_APP_H

#include <stdbool.h>
#include <sys/types.h>

#include "config.h"

struct app {
  pid_t pid;
  int out; /* the ends of its standard output and error that init reads */
  int err;
  char *result_file; /* what to tell of when it has ended, or NULL */
};

/* Makes the cgroup; the limit is `unik.memory_mb` on the kernel's command line. */
void app_prepare_cgroup(void);
/* Starts it, or fails the machine with the reason. */
struct app app_start(const struct config *config);
/* SIGKILL to every process of the application. */
void app_kill_all(void);
/* Did the kernel kill something of it for want of memory? */
bool app_ran_out_of_memory(void);

#endif
