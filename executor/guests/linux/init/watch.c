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
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "result.h"

enum { DRAIN_MS = 2000, PIECE = 64 * 1024 };

struct stream {
  int from;
  int to;
  bool ended;
};

struct watch {
  struct app app;
  struct stream out;
  struct stream err;
  struct lines *commands;
  int signals;
  int64_t kill_at; /* monotonic milliseconds; 0: no stop was asked for */
};

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

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

/* Moves what the pipe holds to the port; the pages themselves where the kernel can. */
static void relay(struct stream *stream, short events) {
  if (events & POLLIN) {
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

static _Noreturn void finish(struct watch *watch, int status) {
  app_kill_all();
  if (app_ran_out_of_memory()) host_event("{\"event\":\"oom\"}");
  result_event(watch->app.result_file);
  host_exit_event(status);
  drain(watch);
  host_end();
}

static void reap(struct watch *watch) {
  struct signalfd_siginfo ignored;
  int status;
  if (read(watch->signals, &ignored, sizeof ignored) < 0 && errno != EAGAIN) host_note("signalfd: %s", strerror(errno));
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == watch->app.pid) finish(watch, status);
  }
}

static void obey(struct watch *watch, const struct json *command) {
  const struct json *stop = json_member(command, "stop");
  long signal = json_number(command, "signal", 0);
  if (stop) {
    int64_t kill_at = now_ms() + json_number(stop, "grace_ms", 10000);
    if (watch->kill_at == 0 || kill_at < watch->kill_at) watch->kill_at = kill_at;
    kill(watch->app.pid, SIGTERM);
  } else if (signal > 0 && signal < 65) {
    kill(watch->app.pid, (int)signal);
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

/* Milliseconds until the grace is over; -1 for no limit. */
static int patience(const struct watch *watch) {
  if (watch->kill_at == 0) return -1;
  int64_t left = watch->kill_at - now_ms();
  return left < 0 ? 0 : (int)left;
}

static void handle(struct watch *watch, int set, const struct epoll_event *event) {
  if (event->data.fd == watch->signals) return reap(watch);
  if (event->data.fd == watch->commands->port) return read_commands(watch);
  struct stream *stream = event->data.fd == watch->out.from ? &watch->out : &watch->err;
  relay(stream, (short)event->events);
  if (stream->ended) end_stream(set, stream);
}

void watch_app(struct app app, const struct ports *ports, struct lines *commands) {
  sigset_t set = child_signals();
  struct watch watch = {
      .app = app,
      .out = {app.out, ports->out, false},
      .err = {app.err, ports->err, false},
      .commands = commands,
      .signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
  };
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  add(epoll, watch.signals, EPOLLIN);
  add(epoll, app.out, EPOLLIN);
  add(epoll, app.err, EPOLLIN);
  /* Edge-triggered: a port whose host end is not connected reports a hang-up for as long as that lasts. */
  add(epoll, commands->port, EPOLLIN | EPOLLET);
  read_commands(&watch);
  for (;;) {
    struct epoll_event events[4];
    int ready = epoll_wait(epoll, events, 4, patience(&watch));
    for (int i = 0; i < ready; i++) handle(&watch, epoll, &events[i]);
    if (patience(&watch) == 0) {
      app_kill_all();
      watch.kill_at = 0;
    }
  }
}
