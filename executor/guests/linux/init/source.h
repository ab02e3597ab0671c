/* The instance config where no port carries it: `unik.config` on the kernel's command line says where it lies. */
#ifndef UNIK_SOURCE_H
#define UNIK_SOURCE_H

#include "json.h"

/* `seed`: a disk; `imds`: EC2's metadata service; `initrd`: a file of the initramfs. Fails the machine without one. */
struct json *source_config(void);
/* While the initramfs is still the root. */
void source_keep_initrd_file(void);

#endif
