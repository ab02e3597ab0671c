/*
 * A web server for a folder of files: one process, no thread, no C library, so that it runs on every guest. `server ROOT
 * PORT`. It answers GET and HEAD, one request a connection, and says each on its output.
 */
#ifdef __aarch64__
#include "aarch64.h"
#else
#include "x86_64.h"
#endif

enum { POLLIN = 1, POLLOUT = 4, NONBLOCK = 04000, MAX = 200, IN = 4096, OUT = 16384, PATIENCE = 30 };
enum { EAGAIN = 11, S_IFMT = 0170000, S_IFDIR = 0040000, S_IFREG = 0100000 };

struct connection {
    int fd, file, used, at, size, done;
    long left, since;
    char in[IN], out[OUT];
};
struct pollfd {
    int fd;
    short events, revents;
};

static struct connection all[MAX];
static const char *root;

void *memset(void *to, int value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) ((volatile char *)to)[i] = (char)value;
    return to;
}
void *memcpy(void *to, const void *from, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) ((volatile char *)to)[i] = ((const char *)from)[i];
    return to;
}

static int length(const char *text) {
    int n = 0;
    while (text[n]) n++;
    return n;
}
static int same(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}
static int put(char *to, int at, int most, const char *text) {
    while (*text && at < most - 1) to[at++] = *text++;
    to[at] = 0;
    return at;
}
static int put_number(char *to, int at, int most, long number) {
    char digits[24];
    int n = sizeof digits - 1;
    digits[n] = 0;
    do digits[--n] = (char)('0' + number % 10);
    while (number /= 10);
    return put(to, at, most, digits + n);
}

static long now(void) {
    long time[2] = {0, 0};
    call3(SYS_clock_gettime, 1, (long)time, 0);
    return time[0];
}

static const char *type_of(const char *path) {
    const char *dot = "";
    for (const char *at = path; *at; at++) {
        if (*at == '.') dot = at + 1;
        if (*at == '/') dot = "";
    }
#define TYPE(ending, type) if (same(dot, ending)) return type;
    TYPE("html", "text/html; charset=utf-8") TYPE("htm", "text/html; charset=utf-8") TYPE("css", "text/css; charset=utf-8")
    TYPE("js", "text/javascript; charset=utf-8") TYPE("mjs", "text/javascript; charset=utf-8")
    TYPE("json", "application/json") TYPE("map", "application/json") TYPE("svg", "image/svg+xml") TYPE("png", "image/png")
    TYPE("jpg", "image/jpeg") TYPE("jpeg", "image/jpeg") TYPE("gif", "image/gif") TYPE("webp", "image/webp")
    TYPE("ico", "image/x-icon") TYPE("txt", "text/plain; charset=utf-8") TYPE("xml", "application/xml")
    TYPE("pdf", "application/pdf") TYPE("wasm", "application/wasm") TYPE("woff", "font/woff") TYPE("woff2", "font/woff2")
    TYPE("mp4", "video/mp4") TYPE("webm", "video/webm") TYPE("mp3", "audio/mpeg") TYPE("zip", "application/zip")
    return "application/octet-stream";
}

static void answer(struct connection *c, const char *status, const char *type, long bytes, const char *place) {
    int at = put(c->out, 0, OUT, "HTTP/1.1 ");
    at = put(c->out, at, OUT, status);
    at = put(c->out, at, OUT, "\r\nConnection: close\r\nContent-Type: ");
    at = put(c->out, at, OUT, type);
    if (place) {
        at = put(c->out, at, OUT, "\r\nLocation: ");
        at = put(c->out, at, OUT, place);
    }
    at = put(c->out, at, OUT, "\r\nContent-Length: ");
    at = put_number(c->out, at, OUT, bytes);
    c->size = put(c->out, at, OUT, "\r\n\r\n");
}

static void say(const char *method, const char *path, const char *status) {
    char line[IN + 64];
    int at = put(line, 0, sizeof line, method);
    at = put(line, at, sizeof line, " ");
    for (; *path && at < IN; path++) line[at++] = *path < ' ' ? '?' : *path;
    line[at] = 0;
    at = put(line, at, sizeof line, " ");
    at = put(line, at, sizeof line, status);
    at = put(line, at, sizeof line, "\n");
    call3(SYS_write, 1, (long)line, at);
}

static void refuse(struct connection *c, const char *status) {
    answer(c, status, "text/plain; charset=utf-8", length(status) + 1, 0);
    c->size = put(c->out, c->size, OUT, status);
    c->size = put(c->out, c->size, OUT, "\n");
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The path of a request below the root; 0 for one that is none, or would lead out. */
static int path_of(const char *target, char *path, int most) {
    int at = put(path, 0, most, root), start = at;
    if (*target != '/') return 0;
    for (; *target && *target != '?' && *target != '#'; target++) {
        char c = *target;
        if (c == '%') {
            int high = hex(target[1]), low = high < 0 ? -1 : hex(target[2]);
            if (low < 0) return 0;
            c = (char)(high * 16 + low);
            target += 2;
        }
        if (c == 0 || at >= most - 16) return 0;
        path[at++] = c;
    }
    path[at] = 0;
    for (int i = start; i < at; i++)
        if (path[i] == '/' && path[i + 1] == '.' && path[i + 2] == '.' && (path[i + 3] == '/' || path[i + 3] == 0)) return 0;
    if (path[at - 1] == '/') put(path, at, most, "index.html");
    return 1;
}

static void serve(struct connection *c) {
    char path[IN], *method = c->in, *target = method;
    while (*target && *target != ' ' && *target != '\r') target++;
    if (*target != ' ') return refuse(c, "400 Bad Request");
    *target++ = 0;
    char *end = target;
    while (*end && *end != ' ' && *end != '\r') end++;
    *end = 0;
    const char *status = "200 OK";
    int isHead = same(method, "HEAD");
    uint64_t facts[18];
    if (!isHead && !same(method, "GET")) {
        refuse(c, status = "405 Method Not Allowed");
    } else if (!path_of(target, path, sizeof path)) {
        refuse(c, status = "400 Bad Request");
    } else if ((c->file = (int)open_to_read(path)) < 0 || call3(SYS_fstat, c->file, (long)facts, 0) < 0) {
        refuse(c, status = "404 Not Found");
    } else if (((uint32_t)facts[STAT_MODE] & S_IFMT) == S_IFDIR) {
        char place[IN];
        int at = put(place, 0, IN - 1, target);
        put(place, at, IN, "/");
        answer(c, status = "301 Moved Permanently", "text/plain", 0, place);
    } else if (((uint32_t)facts[STAT_MODE] & S_IFMT) != S_IFREG) {
        refuse(c, status = "404 Not Found");
    } else {
        answer(c, status, type_of(path), (long)facts[STAT_SIZE], 0);
        c->left = isHead ? 0 : (long)facts[STAT_SIZE];
    }
    say(method, target, status);
}

static void drop(struct connection *c) {
    if (c->file >= 0) call3(SYS_close, c->file, 0, 0);
    call3(SYS_close, c->fd, 0, 0);
    c->fd = -1;
}

static int is_whole(const struct connection *c) {
    for (int i = 3; i < c->used; i++)
        if (c->in[i] == '\n' && c->in[i - 1] == '\r' && c->in[i - 2] == '\n' && c->in[i - 3] == '\r') return 1;
    return 0;
}

static void hear(struct connection *c) {
    long n = call3(SYS_read, c->fd, (long)(c->in + c->used), IN - 1 - c->used);
    if (n == -EAGAIN) return;
    if (n <= 0) return drop(c);
    c->used += (int)n;
    c->in[c->used] = 0;
    if (is_whole(c)) serve(c);
    else if (c->used == IN - 1) refuse(c, "431 Request Header Fields Too Large");
}

static void tell(struct connection *c) {
    if (c->at == c->size) {
        if (c->left == 0) return drop(c);
        long n = call3(SYS_read, c->file, (long)c->out, c->left < OUT ? c->left : OUT);
        if (n <= 0) return drop(c);
        c->left -= n;
        c->at = 0;
        c->size = (int)n;
    }
    long n = call3(SYS_write, c->fd, (long)(c->out + c->at), c->size - c->at);
    if (n == -EAGAIN) return;
    if (n <= 0) return drop(c);
    c->at += (int)n;
    c->since = now();
    if (c->at == c->size && c->left == 0) drop(c);
}

static void welcome(int listener) {
    for (int i = 0; i < MAX; i++) {
        if (all[i].fd >= 0) continue;
        long fd = call6(SYS_accept4, listener, 0, 0, NONBLOCK, 0, 0);
        if (fd < 0) return;
        all[i] = (struct connection){.fd = (int)fd, .file = -1, .since = now()};
    }
}

static int listener_on(long port) {
    struct {
        uint16_t family, port;
        uint32_t address, zero[2];
    } address = {2, (uint16_t)((port & 0xff) << 8 | port >> 8), 0, {0, 0}};
    int yes = 1, fd = (int)call3(SYS_socket, 2, 1 | NONBLOCK, 0);
    call6(SYS_setsockopt, fd, 1, 2, (long)&yes, sizeof yes, 0);
    if (call3(SYS_bind, fd, (long)&address, sizeof address) < 0 || call3(SYS_listen, fd, 64, 0) < 0) return -1;
    return fd;
}

void launch(const uint64_t *stack) {
    long port = 0;
    if (stack[0] == 3)
        for (const char *at = (const char *)stack[3]; *at >= '0' && *at <= '9'; at++) port = port * 10 + (*at - '0');
    int listener = port > 0 && port < 65536 ? listener_on(port) : -1;
    if (listener < 0) {
        say("unik-static", "cannot listen:", "usage: ROOT PORT");
        call3(SYS_exit_group, 1, 0, 0);
    }
    root = (const char *)stack[2];
    /* A client that goes away is no reason to end. */
    uint64_t ignore[4] = {1, 0, 0, 0};
    call6(SYS_rt_sigaction, 13, (long)ignore, 0, 8, 0, 0);
    say("unik-static", "listens on", (const char *)stack[3]);
    for (int i = 0; i < MAX; i++) all[i].fd = -1;
    for (;;) {
        struct pollfd waits[MAX + 1] = {{listener, POLLIN, 0}};
        int of[MAX + 1], count = 1;
        for (int i = 0; i < MAX; i++) {
            if (all[i].fd < 0) continue;
            if (now() - all[i].since > PATIENCE) {
                drop(&all[i]);
                continue;
            }
            of[count] = i;
            waits[count++] = (struct pollfd){all[i].fd, all[i].size > 0 ? POLLOUT : POLLIN, 0};
        }
        if (count == MAX + 1) waits[0].fd = -1;
        if (wait_for(waits, count, 5) <= 0) continue;
        for (int i = 1; i < count; i++)
            if (waits[i].revents) all[of[i]].size > 0 ? tell(&all[of[i]]) : hear(&all[of[i]]);
        if (waits[0].revents) welcome(listener);
    }
}
