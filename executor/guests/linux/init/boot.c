#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "app.h"
#include "disks.h"
#include "files.h"
#include "host.h"
#include "options.h"

static void must_mount(const char *what, const char *where, const char *type, unsigned long flags, const char *data) {
  mkdir(where, 0755);
  if (mount(what, where, type, flags, data) < 0) host_fail(126, "mount %s on %s: %s", what, where, strerror(errno));
}

void boot_mount_kernel_filesystems(void) {
  must_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  must_mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  must_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755");
}

static void load_module(const char *name) {
  char path[280];
  snprintf(path, sizeof path, "/modules/%s", name);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || (syscall(SYS_finit_module, file, "", 0) < 0 && errno != EEXIST)) {
    host_note("module %s: %s", name, strerror(errno));
  }
  if (file >= 0) close(file);
  /* The initramfs stays in memory for ever: what has been read is given back. */
  unlink(path);
}

void boot_load_modules(void) {
  char *order = file_read("/modules/order");
  if (!order) return;
  char *rest = order;
  for (char *name; (name = strsep(&rest, "\n"));) {
    if (*name) load_module(name);
  }
  file_free(order);
}

/* Who provides the machine may start it again behind our back; an application is started once. */
static void refuse_second_boot(void) {
  int mark = open("/scratch/booted", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (mark < 0) host_fail(126, "the machine was started a second time");
  if (fsync(mark) < 0) host_note("mark of the first boot: %s", strerror(errno));
  close(mark);
}

/* The image came in the initramfs: a loop makes a disk of it, and what is written stays in memory as well. */
static void root_in_memory(void) {
  enum { LOOP_SET_FD = 0x4C00 }; /* of <linux/loop.h>, which musl's compiler does not find */
  int image = open("/root.erofs", O_RDONLY | O_CLOEXEC), loop = open("/dev/loop0", O_RDONLY | O_CLOEXEC);
  if (image < 0 || loop < 0 || ioctl(loop, LOOP_SET_FD, image) < 0) host_fail(126, "root in memory: %s", strerror(errno));
  must_mount("/dev/loop0", "/lower", "erofs", MS_RDONLY | MS_NODEV, NULL);
  must_mount("scratch", "/scratch", "tmpfs", MS_NODEV | MS_NOATIME, "mode=0700");
  unlink("/root.erofs");
  close(image);
  close(loop);
}

static void root_on_disks(void) {
  char lower[300] = "/dev/vda", scratch[300] = "/dev/vdb";
  bool one_disk = option_is("unik.disk", "gpt");
  if (one_disk) {
    disk_partition("unik-root", lower, sizeof lower);
    disk_partition("unik-scratch", scratch, sizeof scratch);
  }
  must_mount(lower, "/lower", "erofs", MS_RDONLY | MS_NODEV, NULL);
  /* The scratch disk ends with the machine: write barriers would only cost time. */
  must_mount(scratch, "/scratch", "ext4", MS_NODEV | MS_NOATIME, one_disk ? "noinit_itable" : "nobarrier,noinit_itable");
  if (one_disk) refuse_second_boot();
}

void boot_switch_root(void) {
  if (option_is("unik.disk", "memory")) root_in_memory();
  else root_on_disks();
  mkdir("/scratch/upper", 0755);
  mkdir("/scratch/work", 0755);
  must_mount("root", "/root", "overlay", MS_NODEV | MS_NOATIME,
             "lowerdir=/lower,upperdir=/scratch/upper,workdir=/scratch/work");
  static const char *const moved[] = {"/dev", "/proc", "/sys"};
  for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
    char target[32];
    snprintf(target, sizeof target, "/root%s", moved[i]);
    mkdir(target, 0755);
    if (mount(moved[i], target, NULL, MS_MOVE, NULL) < 0) host_fail(126, "move %s: %s", moved[i], strerror(errno));
  }
  unlink("/init");
  if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0) {
    host_fail(126, "switch to the root of the image: %s", strerror(errno));
  }
}

static void link_devices(void) {
  static const char *const links[][2] = {
      {"/proc/self/fd", "/dev/fd"},
      {"/proc/self/fd/0", "/dev/stdin"},
      {"/proc/self/fd/1", "/dev/stdout"},
      {"/proc/self/fd/2", "/dev/stderr"},
  };
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
    if (symlink(links[i][0], links[i][1]) < 0) host_note("%s: %s", links[i][1], strerror(errno));
  }
}

static void make_temporary_folders(void) {
  static const char *const open_to_all[] = {"/tmp", "/var/tmp"};
  mkdir("/var", 0755);
  for (size_t i = 0; i < sizeof open_to_all / sizeof *open_to_all; i++) {
    mkdir(open_to_all[i], 01777);
    chmod(open_to_all[i], 01777); /* the image may have it with another mode, and umask counts for mkdir */
  }
  mkdir("/run", 0755);
  mkdir("/etc", 0755);
  mkdir("/home", 0755);
  if (mkdir("/home/vcap", 0755) == 0) file_give("/home/vcap", APP_UID);
  if (mkdir("/home/vcap/tmp", 0755) == 0) file_give("/home/vcap/tmp", APP_UID);
}

/*
 * With huge pages the kernel keeps up to 45 MB free for the making of more, memory that the application was promised.
 * This is what it keeps without them: the square root of 16 times all memory, in KB.
 */
static void release_huge_page_reserve(void) {
  struct sysinfo memory;
  char text[32];
  if (sysinfo(&memory) < 0) return;
  unsigned long kilobytes = memory.totalram / 1024 * memory.mem_unit, reserve = 64;
  while (reserve * reserve < kilobytes * 16) reserve += 64;
  snprintf(text, sizeof text, "%lu", reserve);
  if (!file_write("/proc/sys/vm/min_free_kbytes", text)) host_note("min_free_kbytes: %s", strerror(errno));
}

void boot_furnish_root(void) {
  must_mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666");
  must_mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
  link_devices();
  make_temporary_folders();
  /* One application, one machine: any port is its own. */
  file_write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  release_huge_page_reserve();
}
