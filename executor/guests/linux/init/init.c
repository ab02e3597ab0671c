/*
 * The first and only program beside the application in a Linux guest. It makes a root file system from the image and
 * a scratch disk, waits for the instance config, runs the application as an ordinary user, relays its output and
 * says how it ended. The words it exchanges with the host: docs/guest-protocol.md.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "app.h"
#include "boot.h"
#include "config.h"
#include "datagrams.h"
#include "files.h"
#include "host.h"
#include "lines.h"
#include "net.h"
#include "serial.h"
#include "source.h"
#include "watch.h"

/* The first document on the config port that is an instance config. A stop before it ends the machine. */
static struct json *next_config(struct lines *lines) {
  size_t length;
  for (char *line; (line = lines_next(lines, &length));) {
    struct json *document = json_parse(line, length);
    if (config_is(document)) return document;
    if (json_member(document, "stop")) host_fail(143, "stopped before the application was started");
    json_free(document);
  }
  return NULL;
}

static struct json *await_config(struct lines *lines) {
  /* Edge-triggered, because a port whose host end is not connected reports a hang-up for as long as that lasts. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, lines->port, &event) < 0) host_fail(126, "epoll: %s", strerror(errno));
  host_event("{\"event\":\"waiting\"}");
  for (;;) {
    lines_read(lines);
    struct json *document = next_config(lines);
    if (document) {
      close(epoll);
      return document;
    }
    epoll_wait(epoll, &event, 1, -1);
  }
}

static void put_files(const struct json *files) {
  for (const struct json *file = files ? files->first : NULL; file; file = file->next) {
    if (file->kind != JSON_STRING || file->key[0] != '/') host_fail(126, "instance config: file %s is wrong", file->key);
    if (!file_put(file->key, file->text, file->length, 0444, 0)) {
      host_fail(126, "file %s: %s", file->key, strerror(errno));
    }
  }
}

/* Of devices that the provider lends to the application, such as gpiochip0: those that there are. */
static void lend_devices(const struct json *devices) {
  for (const struct json *device = devices ? devices->first : NULL; device; device = device->next) {
    char path[64];
    if (!json_is_plain(device) || strchr(device->text, '/')) host_fail(126, "instance config: devices holds no plain names");
    snprintf(path, sizeof path, "/dev/%s", device->text);
    if (access(path, F_OK) == 0) file_give(path, APP_UID);
    else host_note("this machine has no %s", path);
  }
}

int main(void) {
  struct ports ports;
  boot_mount_kernel_filesystems();
  boot_load_modules();
  source_keep_initrd_file();
  host_open_ports(&ports);
  boot_switch_root();
  boot_furnish_root();
  app_prepare_cgroup();
  watch_prepare();

  struct lines lines = {.port = ports.config};
  struct json *document = serial_is_open() ? source_config() : await_config(&lines);
  /* The document lies in it, and programs that are started later are read from there. */
  char *text = lines_keep(&lines);
  struct config config = config_from(document);
  net_configure(config.net, config.hostname);
  datagrams_open();
  lend_devices(json_member(document, "devices"));
  put_files(config.files);
  struct watch *watch = watch_start(&config, &ports, &lines);
  if (!config.steps && !config.monitor) {
    config_free(&config);
    json_free(document);
    free(text);
  }
  watch_loop(watch);
}
