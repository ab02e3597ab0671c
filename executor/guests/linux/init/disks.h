/* Finds disks by what is on them, because each machine gives them other names. */
#ifndef UNIK_DISKS_H
#define UNIK_DISKS_H

#include <stdbool.h>
#include <stddef.h>

/* The device node of the partition with this name. Waits for it as drivers find their disks; fails the machine. */
void disk_partition(const char *name, char *out, size_t room);
/* Mounts the disk that carries the instance config on `where`. False when none came within the time. */
bool disk_mount_seed(const char *where, int seconds);

#endif
