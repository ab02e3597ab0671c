#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <termios.h>
#include <unistd.h>

#include "datagrams.h"
#include "files.h"
#include "host.h"
#include "options.h"

/* Bytes of one frame before they are escaped; the longest line is four times that and its head. */
enum { PIECE = 256 };
enum { CONSOLE_LEVEL = 8, EMERGENCIES_ONLY = 1 };

/* One line, one init: its state. */
static int line = -1, kernel_log = -1;
static bool opened;
static unsigned long sequence;
static char boot[5] = "0000";

static void make_raw(int file) {
  struct termios settings;
  if (tcgetattr(file, &settings) < 0) return;
  cfmakeraw(&settings);
  tcsetattr(file, TCSANOW, &settings);
}

static void open_line(void) {
  char name[32] = "ttyS0", path[48];
  option_text("unik.line", name, sizeof name);
  if (strcmp(name, "none") == 0) return;
  snprintf(path, sizeof path, "/dev/%s", name);
  line = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (line < 0) host_fail(126, "%s: %s", path, strerror(errno));
  make_raw(line);
  /* An application that is root may open any node, and make none. */
  unlink(path);
}

void serial_open(void) {
  open_line();
  opened = true;
  /* Tells one boot's frames from another's, whose numbers begin anew. */
  char *id = file_read("/proc/sys/kernel/random/boot_id");
  if (id && strlen(id) > 4) memcpy(boot, id, 4);
  file_free(id);
  kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  /* The line has it already. */
  if (kernel_log >= 0 && line >= 0) lseek(kernel_log, 0, SEEK_END);
  /* A line of the kernel's in the middle of ours would spoil both. A panic still speaks. */
  klogctl(CONSOLE_LEVEL, NULL, EMERGENCIES_ONLY);
  unlink("/dev/console");
  unlink("/dev/kmsg");
}

bool serial_is_open(void) { return opened; }

int serial_kernel_log(void) { return kernel_log; }

static char *escape(char *out, const unsigned char *bytes, size_t length) {
  static const char hex[] = "0123456789abcdef";
  for (size_t i = 0; i < length; i++) {
    unsigned char c = bytes[i];
    if (c >= 0x20 && c < 0x7f && c != '\\') {
      *out++ = (char)c;
      continue;
    }
    *out++ = '\\';
    if (c == '\n') *out++ = 'n';
    else if (c == '\\') *out++ = '\\';
    else *out++ = 'x', *out++ = hex[c >> 4], *out++ = hex[c & 15];
  }
  return out;
}

/* CRC-16/CCITT-FALSE. */
static uint16_t checksum(const char *text, size_t length) {
  uint16_t crc = 0xffff;
  for (size_t i = 0; i < length; i++) {
    crc ^= (uint16_t)((unsigned char)text[i] << 8);
    for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
  }
  return crc;
}

static void write_all(const char *text, size_t length) {
  while (line >= 0 && length > 0) {
    ssize_t done = write(line, text, length);
    if (done < 0 && errno != EINTR) return;
    if (done > 0) text += done, length -= (size_t)done;
  }
}

static void send_piece(char kind, const unsigned char *bytes, size_t length) {
  char body[64 + 4 * PIECE], frame[96 + 4 * PIECE];
  int head = snprintf(body, sizeof body, "%s %c %lu ", boot, kind, ++sequence);
  size_t size = (size_t)(escape(body + head, bytes, length) - body);
  int whole = snprintf(frame, sizeof frame, "@unik %04x %.*s\r\n", checksum(body, size), (int)size, body);
  write_all(frame, (size_t)whole);
  datagrams_send(frame, (size_t)whole, kind == 'c');
}

void serial_send(char kind, const char *bytes, size_t length) {
  for (size_t at = 0; at < length; at += PIECE) {
    send_piece(kind, (const unsigned char *)bytes + at, length - at < PIECE ? length - at : PIECE);
  }
}

/* A record: "level,number,microseconds,flags;text\n" and lines of facts for programs. */
static void relay_record(char *record) {
  char *text = strchr(record, ';');
  unsigned long long microseconds = 0;
  if (!text) return;
  sscanf(record, "%*u,%*u,%llu", &microseconds);
  text[1 + strcspn(text + 1, "\n")] = '\0';
  char said[1200];
  int length = snprintf(said, sizeof said, "[%5llu.%06llu] %s\n", microseconds / 1000000, microseconds % 1000000, text + 1);
  serial_send('k', said, (size_t)length < sizeof said ? (size_t)length : sizeof said - 1);
}

void serial_relay_kernel(void) {
  char record[8192];
  for (;;) {
    ssize_t got = kernel_log < 0 ? -1 : read(kernel_log, record, sizeof record - 1);
    if (got < 0 && errno == EPIPE && kernel_log >= 0) continue; /* it said more than it keeps */
    if (got <= 0) return;
    record[got] = '\0';
    relay_record(record);
  }
}

void serial_drain(void) {
  if (line >= 0) tcdrain(line);
}
