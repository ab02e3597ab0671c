#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"

bool config_is(const struct json *document) { return json_number(document, "schema", 0) == 1; }

static size_t count(const struct json *parent) {
  size_t members = 0;
  for (const struct json *member = parent ? parent->first : NULL; member; member = member->next) members++;
  return members;
}

static void *must_allocate(size_t bytes) {
  void *memory = malloc(bytes);
  if (!memory) host_fail(126, "no memory for the instance config");
  return memory;
}

static char **words(const struct json *array) {
  char **list = must_allocate((count(array) + 1) * sizeof *list), **next = list;
  for (const struct json *word = array->first; word; word = word->next) {
    if (!json_is_plain(word)) host_fail(126, "instance config: argv holds something else than plain text");
    *next++ = word->text;
  }
  *next = NULL;
  return list;
}

static char **assignments(const struct json *object) {
  char **list = must_allocate((count(object) + 1) * sizeof *list), **next = list;
  for (const struct json *value = object ? object->first : NULL; value; value = value->next) {
    if (!json_is_plain(value)) host_fail(126, "instance config: env %s is no plain text", value->key);
    size_t name = strlen(value->key);
    char *entry = must_allocate(name + 1 + value->length + 1);
    memcpy(entry, value->key, name);
    entry[name] = '=';
    memcpy(entry + name + 1, value->text, value->length + 1);
    *next++ = entry;
  }
  *next = NULL;
  return list;
}

struct config config_from(const struct json *document) {
  const struct json *argv = json_member(document, "argv"), *env = json_member(document, "env");
  const struct json *mounts = json_member(document, "mounts");
  if (!argv || argv->kind != JSON_ARRAY || !argv->first) host_fail(126, "instance config: argv is missing");
  if (env && env->kind != JSON_OBJECT) host_fail(126, "instance config: env is no object");
  if (mounts && mounts->first) host_fail(126, "instance config: this guest has no volume mounts");
  char *cwd = json_text(document, "cwd"), *hostname = json_text(document, "hostname");
  return (struct config){
      .argv = words(argv),
      .env = assignments(env),
      .cwd = cwd && *cwd ? cwd : "/",
      .hostname = hostname && *hostname ? hostname : "unik",
      .result_file = json_text(document, "result_file"),
      .uid = (uid_t)json_number(document, "uid", APP_UID),
      .nofile = (rlim_t)json_number(document, "nofile", 65536),
      .max_pids = json_number(document, "max_pids", 0),
      .net = json_member(document, "net"),
      .files = json_member(document, "files"),
  };
}

void config_free(struct config *config) {
  for (char **entry = config->env; *entry; entry++) free(*entry);
  free(config->env);
  free(config->argv);
}
