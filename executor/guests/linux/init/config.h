/* The instance config (design 4.2), checked and in the shape that exec wants. */
#ifndef UNIK_CONFIG_H
#define UNIK_CONFIG_H

#include "json.h"

struct config {
  char **argv; /* ended by NULL, at least one */
  char **env;  /* "NAME=value", ended by NULL */
  char *cwd;
  char *hostname;
  const struct json *net;
  const struct json *files;
};

/* True when the document is meant as an instance config: an object with `schema` 1. */
bool config_is(const struct json *document);
/* Fails the machine when a value is of the wrong kind. The result points into the document, which must stay. */
struct config config_from(const struct json *document);
void config_free(struct config *config);

#endif
