#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "serial.h"

/* init is one process with one host: its ports are the only state of this file. */
static struct ports open_ports = {-1, -1, -1, -1};

static int *port_named(const char *name) {
  if (strcmp(name, "unik.config") == 0) return &open_ports.config;
  if (strcmp(name, "unik.control") == 0) return &open_ports.control;
  if (strcmp(name, "unik.out") == 0) return &open_ports.out;
  if (strcmp(name, "unik.err") == 0) return &open_ports.err;
  return NULL;
}

static void open_port(const char *device) {
  char path[320], name[64];
  snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", device);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return; /* its name has not come yet */
  ssize_t length = read(file, name, sizeof name - 1);
  close(file);
  if (length <= 0) return;
  name[length] = '\0';
  name[strcspn(name, "\n")] = '\0';
  int *port = port_named(name);
  if (!port || *port >= 0) return;
  snprintf(path, sizeof path, "/dev/%s", device);
  /* Only reading must not wait: a write that waits for the host is how a chatty application is slowed down. */
  *port = open(path, (port == &open_ports.config ? O_RDONLY | O_NONBLOCK : O_WRONLY) | O_CLOEXEC);
}

static int all_open(void) {
  return open_ports.config >= 0 && open_ports.control >= 0 && open_ports.out >= 0 && open_ports.err >= 0;
}

void host_open_ports(struct ports *ports) {
  const struct timespec pause = {0, 2 * 1000 * 1000};
  if (option_is("unik.channel", "serial")) {
    serial_open();
    *ports = open_ports;
    return;
  }
  for (int tries = 0; !all_open() && tries < 5000; tries++) {
    if (tries > 0) nanosleep(&pause, NULL);
    DIR *folder = opendir("/sys/class/virtio-ports");
    if (!folder) continue;
    for (struct dirent *entry; (entry = readdir(folder));) {
      if (entry->d_name[0] != '.') open_port(entry->d_name);
    }
    closedir(folder);
  }
  if (!all_open()) host_fail(126, "the machine lacks a virtio-serial port named unik.config, .control, .out or .err");
  *ports = open_ports;
}

void host_event(const char *json_line) {
  if (serial_is_open()) {
    /* In one go, so that a large result is not cut by another stream's frames more than it must. */
    serial_send('c', json_line, strlen(json_line));
    serial_send('c', "\n", 1);
    return;
  }
  if (open_ports.control >= 0) dprintf(open_ports.control, "%s\n", json_line);
}

void host_started_event(pid_t pid) {
  char line[64];
  snprintf(line, sizeof line, "{\"event\":\"started\",\"pid\":%d}", (int)pid);
  host_event(line);
}

void host_exit_event(int status) {
  char line[96];
  if (WIFSIGNALED(status)) {
    int signal = WTERMSIG(status);
    snprintf(line, sizeof line, "{\"event\":\"exit\",\"code\":%d,\"signal\":%d}", 128 + signal, signal);
  } else {
    snprintf(line, sizeof line, "{\"event\":\"exit\",\"code\":%d}", WEXITSTATUS(status));
  }
  host_event(line);
}

void host_note(const char *format, ...) {
  va_list args;
  va_start(args, format);
  char text[600];
  int head = snprintf(text, sizeof text, "unik-init: "), length = vsnprintf(text + head, sizeof text - (size_t)head - 1, format, args);
  va_end(args);
  if (length < 0) return;
  strcat(text, "\n");
  if (serial_is_open()) serial_send('k', text, strlen(text));
  else dprintf(STDERR_FILENO, "%s", text);
}

/* `out` becomes a JSON string's inside; what does not fit is cut off. */
static void escape_json(char *out, size_t room, const char *text) {
  char *end = out + room - 7;
  for (; *text && out < end; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') *out++ = '\\', *out++ = (char)c;
    else if (c < 0x20) out += snprintf(out, 7, "\\u%04x", c);
    else *out++ = (char)c;
  }
  *out = '\0';
}

void host_result_missing(const char *why) {
  char escaped[600], line[700];
  escape_json(escaped, sizeof escaped, why);
  snprintf(line, sizeof line, "{\"event\":\"result\",\"error\":\"%s\"}", escaped);
  host_event(line);
}

void host_fail(int code, const char *format, ...) {
  char message[512], escaped[1100], line[1200];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  host_note("%s", message);
  escape_json(escaped, sizeof escaped, message);
  snprintf(line, sizeof line, "{\"event\":\"failed\",\"code\":%d,\"message\":\"%s\"}", code, escaped);
  if (serial_is_open()) serial_relay_kernel();
  host_event(line);
  host_end();
}

void host_end(void) {
  /*
   * Bytes written to a port may still be on their way. Closing one asks the host by the device's control queue and
   * waits for the answer, and the host answers after it was told of the bytes before.
   */
  close(open_ports.out);
  close(open_ports.err);
  close(open_ports.control);
  if (serial_is_open()) serial_drain();
  /* Where a reset would boot it again. */
  if (option_is("unik.end", "poweroff")) reboot(RB_POWER_OFF);
  /* An immediate reset; nothing on the disks outlives the machine, so nothing is worth an orderly shutdown. */
  int trigger = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
  if (trigger >= 0 && write(trigger, "b", 1) < 0) host_note("sysrq: %s", strerror(errno));
  reboot(RB_AUTOBOOT);
  for (;;) pause();
}
