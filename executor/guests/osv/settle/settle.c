/*
 * Runs before the application, in the same C library, which is the kernel's own: sets the variables that lie on the disk
 * before the root. The kernel's command line loses some of them (blanks, backslashes) and takes few.
 */
typedef unsigned long size_t;

extern int open(const char *path, int flags, ...);
extern long pread(int fd, void *to, size_t bytes, long offset);
extern int close(int fd);
extern int setenv(const char *name, const char *value, int overwrite);
extern void *aligned_alloc(size_t alignment, size_t bytes);
extern void free(void *memory);
extern int puts(const char *line);
extern void abort(void) __attribute__((noreturn));

/* As executor/guests/osv/settle.ts writes it: a mark, then `NAME=VALUE` with a zero after each, then a zero. */
#define AT (1L << 20)
#define BYTES (512UL << 10)
#define PIECE 65536UL
static char area[BYTES];

/* Without its variables an application must not start. */
static void refuse(const char *why) {
    puts(why);
    abort();
}

__attribute__((visibility("default"))) int main(void) {
    int fd = open("/dev/vblk0", 0);
    if (fd < 0) refuse("unik: the disk cannot be opened");
    /* The disk writes into memory of the kernel only. */
    char *piece = aligned_alloc(4096, PIECE);
    if (!piece) refuse("unik: no memory");
    for (size_t done = 0; done < BYTES; done += PIECE) {
        if (pread(fd, piece, PIECE, AT + (long)done) != (long)PIECE) refuse("unik: the configuration cannot be read");
        for (size_t i = 0; i < PIECE; i++) area[done + i] = piece[i];
    }
    free(piece);
    close(fd);
    if (area[0] != 'U' || area[1] != 'N' || area[2] != 'K' || area[3] != '1')
        refuse("unik: the host gave no configuration");
    area[BYTES - 1] = 0;
    for (char *at = area + 4; *at;) {
        char *name = at;
        while (*at && *at != '=') at++;
        if (*at) *at++ = 0;
        if (setenv(name, at, 1) != 0) refuse("unik: a variable cannot be set");
        while (*at) at++;
        at++;
    }
    return 0;
}
