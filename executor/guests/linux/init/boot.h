/* From a bare kernel to a root file system: everything that does not need the instance config. */
#ifndef UNIK_BOOT_H
#define UNIK_BOOT_H

/* proc, sys and dev: what the rest of init works with. */
void boot_mount_kernel_filesystems(void);
/* Loads the files named in /modules/order, one a line, in that order. */
void boot_load_modules(void);
/*
 * /dev/vda read-only below, /dev/vdb writable above: makes that the root of this process. With `unik.disk=gpt` on the
 * kernel's command line they are partitions of one disk, found by name; with `unik.disk=memory` the image is the file
 * /root.erofs of the initramfs.
 */
void boot_switch_root(void);
/* What programs expect to find in a running system: pts, shm, links in /dev, temporary folders, settings. */
void boot_furnish_root(void);

#endif
