#include "disks.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "host.h"

enum { WAIT_S = 30, TICKS_A_SECOND = 50 };

static void tick(void) { nanosleep(&(struct timespec){0, 1000000000 / TICKS_A_SECOND}, NULL); }

/* Calls `fits` with the name of each block device until it is true. */
static bool any_disk(bool (*fits)(const char *device, const void *of), const void *of) {
  DIR *folder = opendir("/sys/class/block");
  bool found = false;
  for (struct dirent *entry; !found && folder && (entry = readdir(folder));) {
    if (entry->d_name[0] != '.') found = fits(entry->d_name, of);
  }
  if (folder) closedir(folder);
  return found;
}

struct wanted {
  const char *line;
  char *out;
  size_t room;
};

static bool is_partition(const char *device, const void *of) {
  const struct wanted *wanted = of;
  char path[320];
  snprintf(path, sizeof path, "/sys/class/block/%s/uevent", device);
  char *facts = file_read(path);
  bool fits = facts && strstr(facts, wanted->line);
  file_free(facts);
  if (!fits) return false;
  snprintf(wanted->out, wanted->room, "/dev/%s", device);
  return access(wanted->out, F_OK) == 0;
}

void disk_partition(const char *name, char *out, size_t room) {
  char line[64];
  snprintf(line, sizeof line, "PARTNAME=%s\n", name);
  struct wanted wanted = {line, out, room};
  for (int tick_count = 0; tick_count < WAIT_S * TICKS_A_SECOND; tick_count++) {
    if (any_disk(is_partition, &wanted)) return;
    tick();
  }
  host_fail(126, "no disk with a partition %s: this machine's disk controller needs a driver that the guest lacks", name);
}

/* ISO 9660's volume name is at 0x8028; FAT's at 0x2b or, in FAT32, 0x47. */
static const char *seed_type(const char *path) {
  static const char *const names[] = {"cidata", "config-2", "unik-seed"};
  unsigned char head[512] = {0}, volume[64] = {0};
  int disk = open(path, O_RDONLY | O_CLOEXEC);
  if (disk < 0) return NULL;
  bool read_it = pread(disk, head, sizeof head, 0) > 0;
  if (pread(disk, volume, sizeof volume, 0x8000) < 0) volume[0] = 0;
  close(disk);
  bool iso = memcmp(volume + 1, "CD001", 5) == 0;
  for (size_t i = 0; read_it && i < sizeof names / sizeof *names; i++) {
    size_t length = strlen(names[i]);
    if (iso && strncasecmp((char *)volume + 40, names[i], length) == 0) return "iso9660";
    if (!iso && (strncasecmp((char *)head + 0x2b, names[i], length) == 0 || strncasecmp((char *)head + 0x47, names[i], length) == 0)) {
      return "vfat";
    }
  }
  return NULL;
}

static bool mount_if_seed(const char *device, const void *where) {
  char path[300];
  snprintf(path, sizeof path, "/dev/%s", device);
  const char *type = seed_type(path);
  return type && mount(path, where, type, MS_RDONLY | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

bool disk_mount_seed(const char *where, int seconds) {
  for (int tick_count = 0; tick_count < seconds * TICKS_A_SECOND; tick_count++) {
    if (any_disk(mount_if_seed, where)) return true;
    tick();
  }
  return false;
}
