#include "app.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "host.h"
#include "options.h"

#define CGROUP "/sys/fs/cgroup/app"

static void limit_memory(long megabytes) {
  char bytes[32];
  if (megabytes <= 0) return;
  snprintf(bytes, sizeof bytes, "%ld", megabytes * 1024 * 1024);
  if (!file_write(CGROUP "/memory.max", bytes)) host_fail(126, "limit memory: %s", strerror(errno));
}

void app_prepare_cgroup(void) {
  if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
    host_fail(126, "mount cgroup2: %s", strerror(errno));
  }
  if (!file_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids +cpu") || mkdir(CGROUP, 0755) < 0) {
    host_fail(126, "make a cgroup: %s", strerror(errno));
  }
  limit_memory(option_number("unik.memory_mb", 0));
  file_write(CGROUP "/memory.swap.max", "0"); /* a kernel without swap lacks the file */
  file_write(CGROUP "/memory.oom.group", "1");
  /* Where the whole machine runs short, init is the last thing to lose. */
  file_write("/proc/self/oom_score_adj", "-1000");
}

static void limit(int resource, rlim_t soft, rlim_t hard) {
  setrlimit(resource, &(struct rlimit){soft, hard});
}

/*
 * What root may keep: enough to install, own and serve files, nothing that reaches init, the kernel or a device. The
 * usual set of containers without making device nodes.
 */
static bool root_keeps(int capability) {
  /* Numbers of the kernel's interface, whose headers musl does not bring. */
  enum { CHOWN = 0, DAC_OVERRIDE = 1, FOWNER = 3, FSETID = 4, KILL = 5, SETGID = 6, SETUID = 7, SETPCAP = 8 };
  enum { NET_BIND_SERVICE = 10, NET_RAW = 13, SYS_CHROOT = 18 };
  static const int kept[] = {CHOWN,  DAC_OVERRIDE, FOWNER,           FSETID,  KILL,      SETGID,
                             SETUID, SETPCAP,      NET_BIND_SERVICE, NET_RAW, SYS_CHROOT};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    if (kept[i] == capability) return true;
  }
  return false;
}

static bool drop_privileges(uid_t uid) {
  for (int capability = 0; capability <= 63; capability++) {
    if (uid != 0 || !root_keeps(capability)) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) return false;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static const char *path_in(char *const *env) {
  for (; *env; env++) {
    if (strncmp(*env, "PATH=", 5) == 0) return *env + 5;
  }
  return "/usr/local/bin:/usr/bin:/bin";
}

/* execvp with the PATH of the new environment and without its fallback to a shell. Returns only to fail, with errno. */
static void exec_by_path(char *const *argv, char *const *env) {
  if (strchr(argv[0], '/')) {
    execve(argv[0], argv, env);
    return;
  }
  int reason = ENOENT;
  char candidate[4096];
  for (const char *folder = path_in(env); folder;) {
    size_t length = strcspn(folder, ":");
    snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, length ? folder : ".", argv[0]);
    execve(candidate, argv, env);
    if (errno != ENOENT && errno != ENOTDIR) reason = errno;
    folder = folder[length] ? folder + length + 1 : NULL;
  }
  errno = reason;
}

static _Noreturn void report(int channel, const char *step) {
  struct start_error error = {.reason = errno};
  snprintf(error.step, sizeof error.step, "%s", step);
  if (write(channel, &error, sizeof error) < 0) _exit(126);
  _exit(127);
}

static _Noreturn void become_app(const struct program *program, const struct app *app, int channel) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  if (!file_write(CGROUP "/cgroup.procs", "0")) report(channel, "cgroup");
  file_write("/proc/self/oom_score_adj", "0");
  int nothing = open("/dev/null", O_RDONLY);
  if (dup2(nothing, 0) < 0 || dup2(app->out[1], 1) < 0 || dup2(app->err[1], 2) < 0) report(channel, "descriptors");
  if (nothing > 2) close(nothing);
  limit(RLIMIT_NOFILE, program->nofile, program->nofile);
  limit(RLIMIT_CORE, 0, 0);
  umask(022);
  if (!drop_privileges(program->uid)) report(channel, "privileges");
  if (chdir(program->cwd) < 0) report(channel, "cwd");
  exec_by_path(program->argv, program->env);
  report(channel, "exec");
}

/* Pipes belong to who made them; the application must be able to open /dev/stdout anew. */
static void make_output(int ends[2], uid_t owner) {
  if (pipe2(ends, O_CLOEXEC) < 0 || fchown(ends[1], owner, owner) < 0) host_fail(126, "pipe: %s", strerror(errno));
}

static const char *why(int reason) {
  switch (reason) {
    case ENOENT: return "no such file in the image (or its interpreter is missing)";
    case ENOEXEC: return "not a program for this machine";
    case E2BIG: return "arguments and environment are too long: 128 KB for one value, 2 MB for all";
    default: return strerror(reason);
  }
}

static bool await_exec(int channel, struct start_error *error) {
  ssize_t got;
  do got = read(channel, error, sizeof *error);
  while (got < 0 && errno == EINTR);
  close(channel);
  return got != (ssize_t)sizeof *error; /* closed by exec */
}

static void limit_processes(long count) {
  char text[32];
  snprintf(text, sizeof text, "%ld", count);
  if (count > 0 && !file_write(CGROUP "/pids.max", text)) host_fail(126, "limit processes: %s", strerror(errno));
}

struct app app_open(const struct config *config) {
  struct app app;
  limit_memory(config->memory_mb);
  limit_processes(config->max_pids);
  make_output(app.out, config->program.uid);
  make_output(app.err, config->program.uid);
  return app;
}

pid_t app_spawn(const struct app *app, const struct program *program, struct start_error *error) {
  int channel[2];
  if (pipe2(channel, O_CLOEXEC) < 0) host_fail(126, "pipe: %s", strerror(errno));
  pid_t pid = fork();
  if (pid < 0) host_fail(126, "fork: %s", strerror(errno));
  if (pid == 0) become_app(program, app, channel[1]);
  close(channel[1]);
  if (await_exec(channel[0], error)) return pid;
  waitpid(pid, NULL, 0);
  return -1;
}

int start_error_code(const struct start_error *error) {
  return strcmp(error->step, "exec") == 0 && error->reason == ENOENT ? 127 : 126;
}

static void explain(char *out, size_t room, const struct program *program, const struct start_error *error) {
  if (strcmp(error->step, "exec") == 0) snprintf(out, room, "%s: %s", program->argv[0], why(error->reason));
  else if (strcmp(error->step, "cwd") == 0) snprintf(out, room, "cwd %s: %s", program->cwd, strerror(error->reason));
  else snprintf(out, room, "%s: %s", error->step, strerror(error->reason));
}

void app_complain(const struct app *app, const struct program *program, const struct start_error *error) {
  char text[400];
  explain(text, sizeof text, program, error);
  dprintf(app->err[1], "%s\n", text);
}

void app_fail(const struct program *program, const struct start_error *error) {
  char text[400];
  explain(text, sizeof text, program, error);
  host_fail(start_error_code(error), "%s", text);
}

void app_close(struct app *app) {
  close(app->out[1]);
  close(app->err[1]);
}

void app_kill_all(void) { file_write(CGROUP "/cgroup.kill", "1"); }

bool app_ran_out_of_memory(void) {
  static const char name[] = "\noom_kill ";
  char *events = file_read(CGROUP "/memory.events");
  char *found = events ? strstr(events, name) : NULL;
  bool killed = found && strtol(found + sizeof name - 1, NULL, 10) > 0;
  file_free(events);
  return killed;
}
