/* The application: unprivileged processes and whatever they start, in a cgroup that bounds their memory. */
#ifndef UNIK_APP_H
#define UNIK_APP_H

#include <stdbool.h>
#include <sys/types.h>

#include "config.h"

/* The pipes of standard output and error: programs write to one end, init reads the other. */
struct app {
  int out[2];
  int err[2];
};

/* What went wrong in the child between fork and exec. */
struct start_error {
  int reason; /* errno */
  char step[16];
};

/* Makes the cgroup; the limit is `unik.memory_mb` on the kernel's command line, if it is there. */
void app_prepare_cgroup(void);
struct app app_open(const struct config *config);
/* Starts a program; -1 and the error when it cannot be. */
pid_t app_spawn(const struct app *app, const struct program *program, struct start_error *error);
/* 127 for a program that is not there, else 126. */
int start_error_code(const struct start_error *error);
/* Says why on the application's standard error. */
void app_complain(const struct app *app, const struct program *program, const struct start_error *error);
/* Fails the machine with the reason. */
_Noreturn void app_fail(const struct program *program, const struct start_error *error);
/* Nobody of ours writes any more: the pipes end with the last program. */
void app_close(struct app *app);
/* SIGKILL to every process of the application. */
void app_kill_all(void);
/* Did the kernel kill something of it for want of memory? */
bool app_ran_out_of_memory(void);

#endif
