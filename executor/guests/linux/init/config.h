/* The instance config (design 4.2), checked and in the shape that exec wants. */
#ifndef UNIK_CONFIG_H
#define UNIK_CONFIG_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "json.h"

/* The application's user where the config names none, and the owner of its pipes. */
enum { APP_UID = 2000 };

/* One program, as it is started. */
struct program {
  char **argv; /* ended by NULL, at least one */
  char **env;  /* "NAME=value", ended by NULL; where a name stands twice, the first counts */
  char *cwd;
  uid_t uid;
  rlim_t nofile;
};

struct config {
  struct program program; /* the application, where `steps` is NULL */
  const struct json *env;
  char *hostname;
  char *result_file; /* NULL: none is asked for */
  long max_pids;     /* 0: no limit */
  long memory_mb;    /* 0: as the kernel's command line says */
  bool lingers;      /* the end of the application without a failure is not that of the machine */
  const struct json *steps;   /* several programs, instead */
  const struct json *monitor; /* NULL: none */
  const struct json *net;
  const struct json *files;
  const struct json *door; /* NULL: commands have a port of their own */
};

/* True when the document is meant as an instance config: an object with `schema` 1. */
bool config_is(const struct json *document);
/* Fails the machine when a value is of the wrong kind. The result points into the document, which must stay. */
struct config config_from(const struct json *document);
/* One of several: `env` adds to the config's and wins over it; cwd, uid and nofile are those of the config else. */
struct program program_from(const struct json *document, const struct config *config);

void config_free(struct config *config);

#endif
