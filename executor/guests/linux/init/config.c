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

static char *assignment(const struct json *value) {
  if (!json_is_plain(value)) host_fail(126, "instance config: env %s is no plain text", value->key);
  size_t name = strlen(value->key);
  char *entry = must_allocate(name + 1 + value->length + 1);
  memcpy(entry, value->key, name);
  entry[name] = '=';
  memcpy(entry + name + 1, value->text, value->length + 1);
  return entry;
}

static const struct json *env_of(const struct json *document) {
  const struct json *env = json_member(document, "env");
  if (env && env->kind != JSON_OBJECT) host_fail(126, "instance config: env is no object");
  return env;
}

/* `own` wins: of a name that both have, only its value is taken. */
static char **assignments(const struct json *own, const struct json *common) {
  char **list = must_allocate((count(own) + count(common) + 1) * sizeof *list), **next = list;
  for (const struct json *value = own ? own->first : NULL; value; value = value->next) *next++ = assignment(value);
  for (const struct json *value = common ? common->first : NULL; value; value = value->next) {
    if (!own || !json_member(own, value->key)) *next++ = assignment(value);
  }
  *next = NULL;
  return list;
}

static char **argv_of(const struct json *document) {
  const struct json *argv = json_member(document, "argv");
  if (!argv || argv->kind != JSON_ARRAY || !argv->first) host_fail(126, "instance config: argv is missing");
  return words(argv);
}

struct config config_from(const struct json *document) {
  const struct json *mounts = json_member(document, "mounts"), *lingers = json_member(document, "lingers");
  if (mounts && mounts->first) host_fail(126, "instance config: this guest has no volume mounts");
  char *cwd = json_text(document, "cwd"), *hostname = json_text(document, "hostname");
  const struct json *env = env_of(document);
  return (struct config){
      .program =
          {
              .argv = argv_of(document),
              .env = assignments(NULL, env),
              .cwd = cwd && *cwd ? cwd : "/",
              .uid = (uid_t)json_number(document, "uid", APP_UID),
              .nofile = (rlim_t)json_number(document, "nofile", 65536),
          },
      .env = env,
      .hostname = hostname && *hostname ? hostname : "unik",
      .result_file = json_text(document, "result_file"),
      .max_pids = json_number(document, "max_pids", 0),
      .memory_mb = json_number(document, "memory_mb", 0),
      .lingers = lingers && lingers->number != 0,
      .steps = json_member(document, "program"),
      .monitor = json_member(document, "monitor"),
      .net = json_member(document, "net"),
      .files = json_member(document, "files"),
      .door = json_member(document, "door"),
  };
}

struct program program_from(const struct json *document, const struct config *config) {
  char *cwd = json_text(document, "cwd");
  return (struct program){
      .argv = argv_of(document),
      .env = assignments(env_of(document), config->env),
      .cwd = cwd && *cwd ? cwd : config->program.cwd,
      .uid = (uid_t)json_number(document, "uid", (long)config->program.uid),
      .nofile = (rlim_t)json_number(document, "nofile", (long)config->program.nofile),
  };
}

void config_free(struct config *config) {
  for (char **entry = config->program.env; *entry; entry++) free(*entry);
  free(config->program.env);
  free(config->program.argv);
}
