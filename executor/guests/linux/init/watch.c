#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "door.h"
#include "json.h"
#include "monitor.h"
#include "result.h"
#include "serial.h"
#include "steps.h"

enum { DRAIN_MS = 2000, PIECE = 64 * 1024 };

struct stream {
  int from;
  int to;    /* a port, or -1 where output goes over the serial line */
  char kind; /* on that */
  bool ended;
};

struct watch {
  struct app app;
  struct step *root;
  struct monitor monitor;
  bool told;        /* programs are several, and each one's end is told */
  bool lingers;     /* while nothing has failed the machine stays, though all of the application has ended */
  bool stopping;
  int64_t again_at; /* monotonic milliseconds; 0: nothing is due */
  char *result_file;
  struct stream out;
  struct stream err;
  struct lines *commands;
  int signals;
  int epoll;
  int64_t kill_at; /* monotonic milliseconds; 0: no stop was asked for */
};

static sigset_t child_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return set;
}

void watch_prepare(void) {
  sigset_t set = child_signals();
  sigprocmask(SIG_BLOCK, &set, NULL);
}

static void relay_by_serial(const struct stream *stream) {
  char bytes[4096];
  ssize_t got = read(stream->from, bytes, sizeof bytes);
  if (got > 0) serial_send(stream->kind, bytes, (size_t)got);
}

/* Moves what the pipe holds to the port; the pages themselves where the kernel can. */
static void relay(struct stream *stream, short events) {
  if (events & POLLIN && serial_is_open()) {
    relay_by_serial(stream);
  } else if (events & POLLIN) {
    ssize_t moved = splice(stream->from, NULL, stream->to, NULL, PIECE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved < 0 && errno != EAGAIN && errno != EINTR) host_note("output: %s", strerror(errno));
  } else if (events & (POLLHUP | POLLERR)) {
    stream->ended = true;
  }
}

static void drain(struct watch *watch) {
  int64_t deadline = now_ms() + DRAIN_MS;
  while (!watch->out.ended || !watch->err.ended) {
    int64_t left = deadline - now_ms();
    struct pollfd polls[2] = {
        {.fd = watch->out.ended ? -1 : watch->out.from, .events = POLLIN},
        {.fd = watch->err.ended ? -1 : watch->err.from, .events = POLLIN},
    };
    if (left <= 0 || poll(polls, 2, (int)left) < 0) return;
    relay(&watch->out, polls[0].revents);
    relay(&watch->err, polls[1].revents);
  }
}

static _Noreturn void finish(struct watch *watch) {
  app_kill_all();
  app_close(&watch->app);
  if (serial_is_open()) {
    /* One line carries all, so what was said before the end comes before it. */
    drain(watch);
    serial_relay_kernel();
  }
  if (app_ran_out_of_memory()) host_event("{\"event\":\"oom\"}");
  result_event(watch->result_file);
  host_exit_event(steps_status(watch->root));
  drain(watch);
  host_end();
}

static int64_t sooner(int64_t a, int64_t b) { return a == 0 || (b > 0 && b < a) ? b : a; }

/* Brings programs and monitor forward, and ends the machine with the last of the application. */
static void advance(struct watch *watch) {
  steps_advance(watch->root, &watch->app, watch->told);
  if (watch->root->state == STEP_DONE && (watch->stopping || watch->root->failed || !watch->lingers)) finish(watch);
  int64_t late = steps_kill_late(watch->root);
  watch->again_at = sooner(late, monitor_advance(&watch->monitor, &watch->app));
}

static void reap(struct watch *watch) {
  struct signalfd_siginfo ignored;
  int status;
  if (read(watch->signals, &ignored, sizeof ignored) < 0 && errno != EAGAIN) host_note("signalfd: %s", strerror(errno));
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (steps_ended(watch->root, pid, status, watch->told) || !watch->monitor.steps) continue;
    steps_ended(watch->monitor.steps, pid, status, false);
  }
}

static void obey(void *whom, const struct json *command) {
  struct watch *watch = whom;
  const struct json *stop = json_member(command, "stop");
  long signal = json_number(command, "signal", 0);
  if (stop) {
    int64_t kill_at = now_ms() + json_number(stop, "grace_ms", 10000);
    if (watch->kill_at == 0 || kill_at < watch->kill_at) watch->kill_at = kill_at;
    watch->stopping = true;
    steps_cancel(watch->root, 0);
  } else if (signal > 0 && signal < 65) {
    steps_signal(watch->root, (int)signal);
  }
}

static void read_commands(struct watch *watch) {
  size_t length;
  lines_read(watch->commands);
  for (char *line; (line = lines_next(watch->commands, &length));) {
    struct json *command = json_parse(line, length);
    obey(watch, command);
    json_free(command);
  }
  lines_shrink(watch->commands);
}

static void add(int set, int file, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = file};
  if (epoll_ctl(set, EPOLL_CTL_ADD, file, &event) < 0) host_note("epoll: %s", strerror(errno));
}

static void end_stream(int set, struct stream *stream) {
  epoll_ctl(set, EPOLL_CTL_DEL, stream->from, NULL);
}

/* Milliseconds until something is due; -1 for no limit. */
static int patience(const struct watch *watch) {
  int64_t at = sooner(watch->kill_at, watch->again_at);
  if (at == 0) return -1;
  int64_t left = at - now_ms();
  return left < 0 ? 0 : (int)left;
}

static void handle(struct watch *watch, int set, const struct epoll_event *event) {
  if (event->data.fd == watch->signals) return reap(watch);
  if (event->data.fd == watch->commands->port) return read_commands(watch);
  if (event->data.fd == serial_kernel_log()) return serial_relay_kernel();
  if (door_handle(event, obey, watch)) return;
  struct stream *stream = event->data.fd == watch->out.from ? &watch->out : &watch->err;
  relay(stream, (short)event->events);
  if (stream->ended) end_stream(set, stream);
}

static pid_t first_pid(const struct step *step) {
  if (step->kind == STEP_RUN) return step->pid;
  for (const struct step *child = step->first; child; child = child->next) {
    pid_t pid = first_pid(child);
    if (pid > 0) return pid;
  }
  return 0;
}

struct watch *watch_start(const struct config *config, const struct ports *ports, struct lines *commands) {
  static struct watch watch;
  sigset_t set = child_signals();
  struct app app = app_open(config);
  watch = (struct watch){
      .app = app,
      .root = config->steps ? steps_from(config->steps, config) : steps_single(config),
      .monitor = monitor_from(config),
      .told = config->steps != NULL,
      .lingers = config->lingers,
      .result_file = config->result_file ? strdup(config->result_file) : NULL,
      .out = {app.out[0], ports->out, 'o', false},
      .err = {app.err[0], ports->err, 'e', false},
      .commands = commands,
      .signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
      .epoll = epoll_create1(EPOLL_CLOEXEC),
  };
  /* One that cannot be started says so as such; of several it is an end like any other. */
  if (!config->steps) steps_must_start(watch.root, &watch.app);
  else steps_advance(watch.root, &watch.app, true);
  host_started_event(first_pid(watch.root));
  /* Here, because the config may be gone afterwards. */
  door_open(config->door, watch.epoll);
  return &watch;
}

void watch_loop(struct watch *watch) {
  int epoll = watch->epoll;
  add(epoll, watch->signals, EPOLLIN);
  add(epoll, watch->out.from, EPOLLIN);
  add(epoll, watch->err.from, EPOLLIN);
  /* Edge-triggered: a port whose host end is not connected reports a hang-up for as long as that lasts. */
  if (watch->commands->port >= 0) add(epoll, watch->commands->port, EPOLLIN | EPOLLET);
  if (serial_kernel_log() >= 0) add(epoll, serial_kernel_log(), EPOLLIN | EPOLLET);
  if (watch->commands->port >= 0) read_commands(watch);
  for (;;) {
    advance(watch);
    struct epoll_event events[4];
    int ready = epoll_wait(epoll, events, 4, patience(watch));
    for (int i = 0; i < ready; i++) handle(watch, epoll, &events[i]);
    if (watch->kill_at > 0 && watch->kill_at <= now_ms()) {
      app_kill_all();
      watch->kill_at = 0;
    }
  }
}
