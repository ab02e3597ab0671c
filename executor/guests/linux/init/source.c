#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "disks.h"
#include "files.h"
#include "host.h"
#include "http.h"
#include "inflate.h"
#include "net.h"
#include "options.h"

#define METADATA "169.254.169.254"
enum { SEED_WAIT_S = 30, METADATA_TRIES = 30 };

static char *from_initrd;

void source_keep_initrd_file(void) {
  from_initrd = file_read("/unik/config.json");
  if (from_initrd) unlink("/unik/config.json");
}

/* Takes the bytes. */
static char *unpacked(char *bytes, size_t length) {
  if (!gzip_is(bytes, length)) return bytes;
  char *text = gzip_unpack(bytes, length);
  free(bytes);
  if (!text) host_fail(126, "the instance config is compressed, and damaged");
  return text;
}

/* Ours; cloud-init's NoCloud; OpenStack's config drive. */
static char *from_seed(void) {
  static const char *const files[] = {"/seed/unik.jsn", "/seed/user-data", "/seed/openstack/latest/user_data"};
  char *text = NULL;
  mkdir("/seed", 0700);
  if (!disk_mount_seed("/seed", SEED_WAIT_S)) host_fail(126, "no disk named cidata, config-2 or unik-seed");
  size_t tried = 0, length = 0;
  while (!text && tried < sizeof files / sizeof *files) text = file_read_bytes(files[tried++], &length);
  umount("/seed");
  rmdir("/seed");
  if (!text) host_fail(126, "the seed disk holds no instance config");
  /* What lies on a config drive is at the metadata service too, which an application has no business to ask. */
  if (tried == sizeof files / sizeof *files) net_block(METADATA);
  return unpacked(text, length);
}

/* IMDSv2: a session token first, where the service knows of them. */
static char *from_metadata(void) {
  char header[300] = "";
  size_t length;
  int status = 0;
  net_dhcp();
  for (int tries = 0; tries < METADATA_TRIES; tries++) {
    char *token = http_ask("PUT", METADATA, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 300\r\n", &length, &status);
    if (token) snprintf(header, sizeof header, "X-aws-ec2-metadata-token: %s\r\n", token);
    free(token);
    char *text = http_ask("GET", METADATA, "/latest/user-data", header, &length, &status);
    if (text) {
      /* An application that fetches what strangers name must not fetch this. */
      net_block(METADATA);
      return unpacked(text, length);
    }
    nanosleep(&(struct timespec){1, 0}, NULL);
  }
  host_fail(126, "no user data from " METADATA ": status %d", status);
}

struct json *source_config(void) {
  char *text = option_is("unik.config", "imds") ? from_metadata() : option_is("unik.config", "initrd") ? from_initrd : from_seed();
  struct json *document = text ? json_parse(text, strlen(text)) : NULL;
  if (!document || json_number(document, "schema", 0) != 1) host_fail(126, "the instance config is missing or no JSON");
  return document; /* the text stays: the document lies in it */
}
