/* The instance config (design 4.2), checked and in the shape that exec wants. */
#ifndef UNIK_CONFIG_H
#define UNIK_CONFIG_H

#include <sys/resource.h>
#include <sys/types.h>

#include "json.h"

/* The application's user where the config names none, and the owner of its pipes. */
enum { APP_UID = 2000 };

struct config {
  char **argv; /* ended by NULL, at least one */
  char **env;  /* "NAME=value", ended by NULL */
  char *cwd;
  char *hostname;
  char *result_file; /* NULL: none is asked for */
  uid_t uid;
  rlim_t nofile;
  long max_pids; /* 0: no limit */
  const struct json *net;
  const struct json *files;
};

/* True when the document is meant as an instance config: an object with `schema` 1. */
bool config_is(const struct json *document);
/* Fails the machine when a value is of the wrong kind. The result points into the document, which must stay. */
struct config config_from(const struct json *document);
void config_free(struct config *config);

#endif
