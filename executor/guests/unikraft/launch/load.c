#include "load.h"

#include "calls.h"
#include "host.h"

enum { PT_LOAD = 1, PT_INTERP = 3, ET_DYN = 3, MACHINE_X86_64 = 62, PF_X = 1, PF_W = 2, PF_R = 4 };
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, MAP_PRIVATE = 2, MAP_FIXED = 16, MAP_ANONYMOUS = 32 };
enum { MAX_HEADERS = 64 };

struct header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static const uint64_t PAGE = 4096;

static uint64_t down(uint64_t value) { return value & ~(PAGE - 1); }
static uint64_t up(uint64_t value) { return down(value + PAGE - 1); }

static int read_at(int file, void *to, uint64_t bytes, uint64_t offset) {
    char *at = to;
    while (bytes > 0) {
        long n = call6(SYS_pread64, file, (long)at, (long)bytes, (long)offset, 0, 0);
        if (n <= 0) return -1;
        at += n;
        bytes -= (uint64_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int protection(uint32_t flags) {
    return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

static int failed(long result) { return result < 0 && result > -4096; }

/* Where the kernel cannot map a file, memory is filled by reading: the same to the program, and it costs memory. */
static void place(int file, const struct segment *s, uint64_t base, const char *path) {
    uint64_t start = base + down(s->vaddr);
    uint64_t skip = s->vaddr - down(s->vaddr);
    uint64_t mapped = up(skip + s->filesz), whole = up(skip + s->memsz);
    int prot = protection(s->flags) | (s->memsz > s->filesz ? PROT_WRITE : 0);
    int how = MAP_PRIVATE | MAP_FIXED;
    long done = -1;
    if (s->filesz > 0) done = call6(SYS_mmap, (long)start, (long)mapped, prot, how, file, (long)(s->offset - skip));
    if (failed(done)) {
        mapped = 0;
        prot |= PROT_WRITE;
    }
    if (whole > mapped) {
        long more = call6(SYS_mmap, (long)(start + mapped), (long)(whole - mapped), prot, how | MAP_ANONYMOUS, -1, 0);
        if (failed(more)) fail("no memory for the program", path);
    }
    if (mapped == 0 && s->filesz > 0 && read_at(file, (void *)(base + s->vaddr), s->filesz, s->offset) < 0)
        fail("cannot read the program", path);
    if (mapped == 0 || s->memsz == s->filesz) return;
    char *tail = (char *)(start + skip + s->filesz), *end = (char *)(start + mapped);
    while (tail < end) *tail++ = 0;
}

struct loaded load(const char *path) {
    struct loaded result = {0};
    struct header head;
    struct segment segments[MAX_HEADERS];
    int file = (int)call3(SYS_open, (long)path, 0, 0);
    if (file < 0) fail("no such program in the image", path);
    if (read_at(file, &head, sizeof head, 0) < 0) fail("not a program", path);
    if (head.ident[0] != 0x7f || head.ident[1] != 'E' || head.ident[4] != 2 || head.machine != MACHINE_X86_64)
        fail("not a program for this machine", path);
    if (head.type != ET_DYN) fail("built for a fixed address, which this kernel cannot load (build it with -pie)", path);
    if (head.phnum > MAX_HEADERS || head.phentsize != sizeof *segments) fail("not a program", path);
    if (read_at(file, segments, head.phnum * sizeof *segments, head.phoff) < 0) fail("not a program", path);

    uint64_t end = 0;
    for (int i = 0; i < head.phnum; i++)
        if (segments[i].type == PT_LOAD && segments[i].vaddr + segments[i].memsz > end)
            end = segments[i].vaddr + segments[i].memsz;
    if (end == 0) fail("not a program", path);
    long base = call6(SYS_mmap, 0, (long)up(end), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (failed(base)) fail("no memory for the program", path);

    for (int i = 0; i < head.phnum; i++) {
        const struct segment *s = &segments[i];
        if (s->type == PT_LOAD) {
            place(file, s, (uint64_t)base, path);
            if (head.phoff >= s->offset && head.phoff < s->offset + s->filesz)
                result.headers = (uint64_t)base + s->vaddr + (head.phoff - s->offset);
        }
        if (s->type == PT_INTERP && s->filesz > 0 && s->filesz < sizeof result.interpreter)
            if (read_at(file, result.interpreter, s->filesz, s->offset) < 0) fail("cannot read the program", path);
    }
    call3(SYS_close, file, 0, 0);
    result.base = (uint64_t)base;
    result.entry = (uint64_t)base + head.entry;
    result.header_count = head.phnum;
    return result;
}
