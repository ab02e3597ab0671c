#include "steps.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "host.h"
#include "json.h"

enum { MAX_DEPTH = 16 };

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct step *new_step(enum step_kind kind) {
  struct step *step = calloc(1, sizeof *step);
  if (!step) host_fail(126, "no memory for the instance config");
  step->kind = kind;
  return step;
}

static struct step *read_step(const struct json *document, const struct config *config, int *runs, int depth);

static void read_children(struct step *parent, const struct json *list, const struct config *config, int *runs,
                          int depth) {
  struct step **place = &parent->first;
  for (const struct json *child = list->first; child; child = child->next) {
    *place = read_step(child, config, runs, depth + 1);
    place = &(*place)->next;
  }
  if (!parent->first) host_fail(126, "instance config: a step joins no programs");
}

static struct step *read_step(const struct json *document, const struct config *config, int *runs, int depth) {
  static const struct {
    const char *name;
    enum step_kind kind;
  } joints[] = {{"parallel", STEP_PARALLEL},
                {"serial", STEP_SERIAL},
                {"codependent", STEP_CODEPENDENT},
                {"joined", STEP_JOINED}};
  if (depth > MAX_DEPTH) host_fail(126, "instance config: programs are joined more than %d deep", MAX_DEPTH);
  const struct json *run = json_member(document, "run"), *attempt = json_member(document, "try");
  if (run) {
    struct step *step = new_step(STEP_RUN);
    step->program = program_from(run, config);
    step->number = (*runs)++;
    return step;
  }
  if (attempt) {
    struct step *step = new_step(STEP_TRY);
    step->first = read_step(attempt, config, runs, depth + 1);
    return step;
  }
  for (size_t i = 0; i < sizeof joints / sizeof *joints; i++) {
    const struct json *list = json_member(document, joints[i].name);
    if (!list) continue;
    struct step *step = new_step(joints[i].kind);
    read_children(step, list, config, runs, depth);
    return step;
  }
  host_fail(126, "instance config: a step is none of run, parallel, serial, codependent, joined, try");
}

struct step *steps_from(const struct json *document, const struct config *config) {
  int runs = 0;
  return read_step(document, config, &runs, 0);
}

struct step *steps_single(const struct config *config) {
  struct step *step = new_step(STEP_RUN);
  step->program = config->program;
  return step;
}

static void done(struct step *step, bool failed) {
  step->state = STEP_DONE;
  step->failed = failed;
}

static void run_ended(struct step *run, int status, bool tell) {
  run->status = status;
  run->pid = 0;
  run->kill_at = 0;
  done(run, run->cancelled || status != 0);
  if (!tell || run->cancelled) return;
  char line[96];
  int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  snprintf(line, sizeof line, "{\"event\":\"ended\",\"program\":%d,\"code\":%d}", run->number, code);
  host_event(line);
}

static void start_run(struct step *run, const struct app *app, bool tell) {
  run->state = STEP_RUNNING;
  struct start_error error;
  run->pid = app_spawn(app, &run->program, &error);
  if (run->pid > 0) return;
  app_complain(app, &run->program, &error);
  run_ended(run, start_error_code(&error) << 8, tell);
}

void steps_must_start(struct step *run, const struct app *app) {
  struct start_error error;
  run->state = STEP_RUNNING;
  run->pid = app_spawn(app, &run->program, &error);
  if (run->pid < 0) app_fail(&run->program, &error);
}

void steps_advance(struct step *step, const struct app *app, bool tell) {
  if (step->state == STEP_DONE) return;
  if (step->state == STEP_IDLE) {
    if (step->cancelled) return done(step, true);
    if (step->kind == STEP_RUN) return start_run(step, app, tell);
    step->state = STEP_RUNNING;
  }
  if (step->kind == STEP_RUN) return;
  bool all = true, failed = false;
  for (struct step *child = step->first; child; child = child->next) {
    steps_advance(child, app, tell);
    if (child->state != STEP_DONE) {
      all = false;
      if (step->kind == STEP_SERIAL) break;
      continue;
    }
    bool bad = child->failed || step->kind == STEP_CODEPENDENT;
    failed = failed || bad;
    if (bad && step->kind == STEP_SERIAL) break;
    if (bad && (step->kind == STEP_CODEPENDENT || step->kind == STEP_JOINED)) steps_cancel(step, STEP_GRACE_MS);
  }
  if (all) done(step, failed && step->kind != STEP_TRY);
}

bool steps_ended(struct step *step, pid_t pid, int status, bool tell) {
  if (step->kind == STEP_RUN) {
    if (step->state != STEP_RUNNING || step->pid != pid) return false;
    run_ended(step, status, tell);
    return true;
  }
  for (struct step *child = step->first; child; child = child->next) {
    if (steps_ended(child, pid, status, tell)) return true;
  }
  return false;
}

void steps_cancel(struct step *step, long grace_ms) {
  if (step->state == STEP_DONE) return;
  if (step->kind == STEP_RUN && step->state == STEP_RUNNING && !step->cancelled) {
    if (grace_ms > 0) step->kill_at = now_ms() + grace_ms;
    kill(step->pid, SIGTERM);
  }
  step->cancelled = true;
  for (struct step *child = step->first; child; child = child->next) steps_cancel(child, grace_ms);
}

void steps_signal(const struct step *step, int signal) {
  if (step->kind == STEP_RUN && step->state == STEP_RUNNING) kill(step->pid, signal);
  for (const struct step *child = step->first; child; child = child->next) steps_signal(child, signal);
}

int64_t steps_kill_late(struct step *step) {
  int64_t soonest = 0;
  if (step->kill_at > 0 && step->kill_at <= now_ms()) {
    /* Each program leads a group of its own. */
    kill(-step->pid, SIGKILL);
    step->kill_at = 0;
  }
  if (step->kill_at > 0) soonest = step->kill_at;
  for (struct step *child = step->first; child; child = child->next) {
    int64_t at = steps_kill_late(child);
    if (at > 0 && (soonest == 0 || at < soonest)) soonest = at;
  }
  return soonest;
}

/* The first of the runs that `by_itself` and `failed` describe, or NULL. */
static const struct step *first_ended(const struct step *step, bool by_itself) {
  if (step->kind == STEP_RUN) {
    if (step->state != STEP_DONE) return NULL;
    return !by_itself || (!step->cancelled && step->status != 0) ? step : NULL;
  }
  for (const struct step *child = step->first; child; child = child->next) {
    const struct step *found = first_ended(child, by_itself);
    if (found) return found;
  }
  return NULL;
}

int steps_status(const struct step *root) {
  if (root->state == STEP_DONE && !root->failed) return 0;
  const struct step *run = first_ended(root, true);
  if (!run) run = first_ended(root, false);
  return run ? run->status : 0;
}

void steps_reset(struct step *step) {
  step->state = STEP_IDLE;
  step->failed = step->cancelled = false;
  step->pid = 0;
  step->kill_at = 0;
  for (struct step *child = step->first; child; child = child->next) steps_reset(child);
}
