/*
 * The first program of every Unikraft machine: takes the instance config from the host and becomes the application. The
 * kernel's command line takes few variables and drops the rest without a word; here any number arrives.
 *
 * The config: "UNK1", then u32 little-endian: bytes of it all, arguments, variables, files; then strings, each ended by
 * a zero byte: working folder, path of the program, arguments, variables as NAME=value, and a path and a content for
 * each file.
 */
#include "calls.h"
#include "host.h"
#include "load.h"

enum { AT_NULL = 0, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_BASE = 7, AT_ENTRY = 9, AT_EXECFN = 31 };
enum { PROT_RW = 3, MAP_PRIVATE_ANONYMOUS = 0x22, O_WRONLY_CREATE_TRUNCATE = 01101, ENTRY_BYTES = 56 };
enum { STACK_BYTES = 8 * 1024 * 1024, MAX_CONFIG = 16 * 1024 * 1024 };

struct config {
    char magic[4];
    uint32_t bytes, arguments, variables, files;
    char strings[];
};

void enter(void *stack, uint64_t entry) __attribute__((noreturn));
void watch_calls(void);

void *memset(void *to, int value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) ((volatile char *)to)[i] = (char)value;
    return to;
}

static void *memory(size_t bytes) {
    long at = call6(SYS_mmap, 0, (long)bytes, PROT_RW, MAP_PRIVATE_ANONYMOUS, -1, 0);
    if (at < 0 && at > -4096) fail("no memory", "launch");
    return (void *)at;
}

static struct config *read_config(void) {
    uint16_t select = 0;
    uint32_t bytes = config_size(&select);
    if (bytes < sizeof(struct config) || bytes > MAX_CONFIG) fail("the host gave no configuration", "launch");
    struct config *config = memory(bytes + 1);
    config_read(select, config, bytes);
    if (config->magic[0] != 'U' || config->magic[3] != '1' || config->bytes != bytes)
        fail("the host's configuration is not for this version", "launch");
    ((char *)config)[bytes] = 0;
    return config;
}

static char *after(char *text, const char *end) {
    while (text < end && *text) text++;
    if (text >= end) fail("the host's configuration is cut off", "launch");
    return text + 1;
}

static void make_folders(char *path) {
    for (char *at = path + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        call3(SYS_mkdir, (long)path, 0755, 0);
        *at = '/';
    }
}

static void write_file(char *path, const char *content, size_t bytes) {
    make_folders(path);
    int file = (int)call3(SYS_open, (long)path, O_WRONLY_CREATE_TRUNCATE, 0444);
    if (file < 0) fail("cannot write the file", path);
    for (size_t done = 0; done < bytes;) {
        long n = call3(SYS_write, file, (long)(content + done), (long)(bytes - done));
        if (n <= 0) fail("cannot write the file", path);
        done += (size_t)n;
    }
    call3(SYS_close, file, 0, 0);
}

/* The same facts about the machine as we were given, with those about the program made its own. */
static uint64_t *put_facts(uint64_t *to, const uint64_t *ours, const struct loaded *app, uint64_t base, char *path) {
    for (; ours[0] != AT_NULL; ours += 2) {
        uint64_t value = ours[1];
        if (ours[0] == AT_PHDR) value = app->headers;
        if (ours[0] == AT_PHENT) value = ENTRY_BYTES;
        if (ours[0] == AT_PHNUM) value = app->header_count;
        if (ours[0] == AT_BASE) value = base;
        if (ours[0] == AT_ENTRY) value = app->entry;
        if (ours[0] == AT_EXECFN) value = (uint64_t)path;
        *to++ = ours[0];
        *to++ = value;
    }
    *to++ = AT_NULL;
    *to++ = 0;
    return to;
}

static const uint64_t *facts_of(const uint64_t *stack) {
    const uint64_t *at = stack + 1 + stack[0] + 1;
    while (*at) at++;
    return at + 1;
}

static int is_probe(const uint64_t *stack) {
    const char *word = stack[0] == 2 ? (const char *)stack[2] : "", *wanted = "--probe";
    while (*word && *word == *wanted) word++, wanted++;
    return *word == 0 && *wanted == 0;
}

static char *put_number(char *to, uint64_t number) {
    char digits[20];
    int n = 0;
    do digits[n++] = (char)('0' + number % 10);
    while (number /= 10);
    while (n > 0) *to++ = digits[--n];
    return to;
}

static char *put_text(char *to, const char *text) {
    while (*text) *to++ = *text++;
    return to;
}

/*
 * `--probe`: tells what of a command line arrived, so that a kernel's limits can be found by booting it. The line is
 * written in two pieces by one call: a kernel that loses the first is found as well.
 */
static void probe(const uint64_t *stack) {
    uint64_t variables = 0, bytes = 0;
    const uint64_t *at = stack + 1 + stack[0] + 1;
    for (; *at; at++, variables++)
        for (const char *text = (const char *)*at; *text; text++) bytes++;
    char line[128], *end = put_text(line, "variables=");
    end = put_number(end, variables);
    end = put_text(end, " bytes=");
    end = put_number(end, bytes);
    end = put_text(end, "\n");
    const char *name = "unik-probe ";
    const uint64_t pieces[4] = {(uint64_t)name, 11, (uint64_t)line, (uint64_t)(end - line)};
    call3(SYS_writev, 1, (long)pieces, 2);
    call3(SYS_exit_group, 0, 0, 0);
}

void launch(const uint64_t *stack) {
    if (is_probe(stack)) probe(stack);
    struct config *config = read_config();
    const char *end = (char *)config + config->bytes;
    char *cwd = config->strings;
    char *path = after(cwd, end);
    char *text = after(path, end);

    struct loaded app = load(path);
    uint64_t base = 0, entry = app.entry;
    if (app.interpreter[0]) {
        struct loaded loader = load(app.interpreter);
        base = loader.base;
        entry = loader.entry;
    }

    size_t words = 3 + config->arguments + config->variables + 64 * 2;
    uint64_t *top = (uint64_t *)((char *)memory(STACK_BYTES) + STACK_BYTES);
    uint64_t *made = (uint64_t *)((uint64_t)(top - words) & ~15ull), *at = made;
    *at++ = config->arguments;
    for (uint32_t i = 0; i < config->arguments; i++, text = after(text, end)) *at++ = (uint64_t)text;
    *at++ = 0;
    for (uint32_t i = 0; i < config->variables; i++, text = after(text, end)) *at++ = (uint64_t)text;
    *at++ = 0;
    put_facts(at, facts_of(stack), &app, base, path);
    for (uint32_t i = 0; i < config->files; i++) {
        char *content = after(text, end), *next = after(content, end);
        write_file(text, content, (size_t)(next - content - 1));
        text = next;
    }
    if (call3(SYS_chdir, (long)cwd, 0, 0) < 0) fail("cannot go to the working folder", cwd);
    say("{\"event\":\"started\"}\n");
    watch_calls();
    enter(made, entry);
}
