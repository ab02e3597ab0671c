/*
 * Programs that belong together, joined as Diego's actions join them. A tree is brought forward by `steps_advance`,
 * which looks at what has ended and starts what may start; call it after every end and at every deadline.
 */
#ifndef UNIK_STEPS_H
#define UNIK_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app.h"

enum step_kind {
  STEP_RUN,
  STEP_PARALLEL,    /* all at once; fails when one has failed, and lets the others end */
  STEP_SERIAL,      /* one after the other, up to the first that fails */
  STEP_CODEPENDENT, /* all at once; the end of one ends the others, and is a failure however it ended */
  STEP_JOINED,      /* the same, where only a failure ends the others */
  STEP_TRY,         /* its one child may fail */
};

enum step_state { STEP_IDLE, STEP_RUNNING, STEP_DONE };

struct step {
  enum step_kind kind;
  enum step_state state;
  bool failed;
  bool cancelled;
  struct program program; /* of a run; the rest as well */
  int number;             /* among all runs of the tree, in the order of the document */
  int status;             /* as waitpid gives it */
  pid_t pid;
  int64_t kill_at; /* monotonic milliseconds; 0: it was not asked to end */
  struct step *first;
  struct step *next;
};

/* How long a program has to end that others took with them: Diego's graceful shutdown interval. */
enum { STEP_GRACE_MS = 10000 };

/* A tree from the config's `program` or `monitor`. Fails the machine when it is none. */
struct step *steps_from(const struct json *document, const struct config *config);
/* One program alone. */
struct step *steps_single(const struct config *config);
/* Starts one program alone, or fails the machine with the reason. */
void steps_must_start(struct step *run, const struct app *app);
/* `tell`: each program that ends by itself is told of on the control port. */
void steps_advance(struct step *root, const struct app *app, bool tell);
/* Takes note of an end. False when the process is none of the tree's own. */
bool steps_ended(struct step *root, pid_t pid, int status, bool tell);
/* Nothing more is started, and all that run get SIGTERM, and SIGKILL after the grace; 0: that is not our business. */
void steps_cancel(struct step *root, long grace_ms);
/* To every program that runs. */
void steps_signal(const struct step *root, int signal);
/* SIGKILL to programs whose grace is over. Gives when to come again, monotonic milliseconds; 0: never. */
int64_t steps_kill_late(struct step *root);
/* What the tree's end is as that of one process: the first that failed by itself, else the first that ended. */
int steps_status(const struct step *root);
/* As it was before it began. */
void steps_reset(struct step *root);

int64_t now_ms(void);

#endif
