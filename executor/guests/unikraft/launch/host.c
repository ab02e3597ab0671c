#include "host.h"

#include "calls.h"

/* QEMU's firmware configuration device: "QEMU Firmware Configuration (fw_cfg) Device" in its documentation. */
enum { FW_SELECT = 0x510, FW_DATA = 0x511, FW_FILES = 0x19 };
/* The status register of a serial port, and its bit for "ready to send". */
enum { LINE_STATUS = 5, CAN_SEND = 0x20 };
/* ACPI of QEMU's machines: the sleep register as its firmware places it, and the word for "off". */
enum { PM_CONTROL = 0x604, POWER_OFF = 0x2000 };

static const char NAME[] = "opt/unik/config";

void send(uint16_t port, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        while (!(in8(port + LINE_STATUS) & CAN_SEND)) {
        }
        out8(port, (uint8_t)bytes[i]);
    }
}

static size_t length_of(const char *text) {
    size_t n = 0;
    while (text[n]) n++;
    return n;
}

void say(const char *text) { send(PORT_CONTROL, text, length_of(text)); }

static void say_number(unsigned number) {
    char digits[12];
    int at = sizeof digits;
    digits[--at] = 0;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    say(digits + at);
}

static void power_off(void) __attribute__((noreturn));
static void power_off(void) {
    out16(PM_CONTROL, POWER_OFF);
    for (;;) __asm__ volatile("cli; hlt");
}

void say_exit(int code, int signal) {
    say("{\"event\":\"exit\",\"code\":");
    say_number((unsigned)code);
    if (signal) {
        say(",\"signal\":");
        say_number((unsigned)signal);
    }
    say("}\n");
    power_off();
}

void fail(const char *what, const char *path) {
    say("{\"event\":\"failed\",\"code\":127,\"message\":\"");
    for (const char *text = what; *text; text++) send(PORT_CONTROL, text, 1);
    say(": ");
    for (const char *text = path; *text; text++) {
        /* What JSON would want escaped is left out. */
        if (*text != '"' && *text != '\\' && (unsigned char)*text >= ' ') send(PORT_CONTROL, text, 1);
    }
    say("\"}\n");
    power_off();
}

static uint32_t big_endian(const uint8_t *at, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

uint32_t config_size(uint16_t *select) {
    uint8_t count[4], entry[64];
    out16(FW_SELECT, FW_FILES);
    in8s(FW_DATA, count, sizeof count);
    for (uint32_t files = big_endian(count, 4); files > 0 && files < 4096; files--) {
        in8s(FW_DATA, entry, sizeof entry);
        size_t i = 0;
        while (i < sizeof NAME && entry[8 + i] == (uint8_t)NAME[i]) i++;
        if (i < sizeof NAME) continue;
        *select = (uint16_t)big_endian(entry + 4, 2);
        return big_endian(entry, 4);
    }
    return 0;
}

void config_read(uint16_t select, void *to, uint32_t bytes) {
    out16(FW_SELECT, select);
    in8s(FW_DATA, to, bytes);
}
