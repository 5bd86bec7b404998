/* The rules of pytest-ixy about packets in C, as a yardstick: count, bounds, duplicates, size, structure, loss.
 *
 *     cc -O3 -o judge judge.c && ./judge CAPTURE PACKETS
 *
 * Classic pcap in all four variants; Ethernet, up to two VLAN tags, IPv4 or IPv6 without extension
 * headers, UDP; other protocols' headers are not looked into. One line of
 * "name value" pairs goes to stdout; the status is 0 when every rule holds (loss is only told), 1 when
 * not, 2 when the capture cannot be read to its end.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { HEADER = 24, RECORD = 16, LONGEST = 262144, FRAME = 60, UDP_LENGTH = 26, SEQUENCE_AT = 22 };

static struct {
    uint64_t frames, udp, numbered, size, structure, shortened, repeated, highest, lost, bursts;
} seen;

static uint64_t *bitmap;    /* one bit per number; the kernel gives pages when they are touched */

static inline uint32_t word(const uint8_t *at, int swap) {
    uint32_t value;
    memcpy(&value, at, 4);
    return swap ? __builtin_bswap32(value) : value;
}

static inline uint32_t pair(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }

static inline void number(uint32_t value) {
    uint64_t bit = 1ull << (value & 63), *slot = &bitmap[value >> 6];
    seen.repeated += (*slot & bit) != 0;
    *slot |= bit;
    seen.numbered++;
    if (value > seen.highest) seen.highest = value;
}

/* Offset of the UDP header; 0 when there is none, -1 when the headers cannot be parsed. */
static inline int64_t udp_of(const uint8_t *frame, uint32_t captured) {
    uint32_t network = 14, type, length, protocol;
    if (captured < network) return -1;
    type = pair(frame + 12);
    for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8 || type == 0x9100); tags++) {
        network += 4;
        if (captured < network) return -1;
        type = pair(frame + network - 2);
    }
    if (type == 0x0800) {
        if (captured < network + 20 || frame[network] >> 4 != 4) return -1;
        length = (frame[network] & 15) * 4;
        protocol = frame[network + 9];
        if (length < 20 || pair(frame + network + 2) < length) return -1;
    } else if (type == 0x86dd) {
        if (captured < network + 40 || frame[network] >> 4 != 6) return -1;
        length = 40;
        protocol = frame[network + 6];
    } else {
        return 0;
    }
    if (captured < network + length + (protocol == 17 ? 8 : 0)) return -1;
    return protocol == 17 ? network + length : 0;
}

static inline void judge(const uint8_t *frame, uint32_t captured, uint32_t original) {
    int64_t at = udp_of(frame, captured);
    seen.frames++;
    seen.shortened += captured < original;
    if (at <= 0) {
        seen.structure += at < 0 && captured >= original;
        return;
    }
    seen.udp++;
    seen.size += (captured > original ? captured : original) != FRAME;
    const uint8_t *udp = frame + at;
    if (pair(udp + 4) != UDP_LENGTH) {
        seen.structure++;
    } else if (captured < at + 11 || memcmp(udp + 8, "ixy", 3)) {
        seen.structure += captured >= original || captured >= at + 11;
    } else if (captured >= at + UDP_LENGTH) {
        uint32_t value;    /* little-endian, as the machines this runs on */
        memcpy(&value, udp + SEQUENCE_AT, 4);
        number(value);
    }
}

/* Count the numbers missing below the highest one up to `bound`, and the runs that they stand in. */
static void lose(uint64_t bound) {
    uint64_t top = seen.highest < bound ? seen.highest : bound, before = 0;
    while (top && !(bitmap[top >> 6] >> (top & 63) & 1)) top--;
    for (uint64_t at = 0; at <= top >> 6; at++) {
        uint64_t missing = ~bitmap[at];
        if (at == top >> 6) missing &= (1ull << (top & 63)) - 1;
        seen.lost += __builtin_popcountll(missing);
        seen.bursts += __builtin_popcountll(missing & ~(missing << 1 | before));
        before = missing >> 63;
    }
}

/* Whether the file is whole. */
static int walk(const uint8_t *data, uint64_t size) {
    uint32_t magic = word(data, 0);
    int swap = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
    if (!swap && magic != 0xa1b2c3d4 && magic != 0xa1b23c4d) return 0;
    uint64_t position = HEADER;
    while (position + RECORD <= size) {
        uint32_t captured = word(data + position + 8, swap);
        if (captured > LONGEST || position + RECORD + captured > size) return 0;
        judge(data + position + RECORD, captured, word(data + position + 12, swap));
        position += RECORD + captured;
    }
    return position == size;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    uint64_t packets = strtoull(arguments[2], NULL, 10);
    int file = open(arguments[1], O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) || status.st_size < HEADER) return 2;
    uint8_t *data = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    bitmap = mmap(NULL, 1ull << 29, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED || bitmap == MAP_FAILED) return 2;
    madvise(data, status.st_size, MADV_SEQUENTIAL);
    int whole = walk(data, status.st_size);
    lose(2 * packets);
    printf("frames %lu udp %lu numbered %lu highest %lu duplicates %lu size %lu structure %lu shortened %lu"
           " lost %lu bursts %lu\n",
           seen.frames, seen.udp, seen.numbered, seen.highest, seen.repeated, seen.size, seen.structure,
           seen.shortened, seen.lost, seen.bursts);
    int bounds = seen.highest + 1 >= packets && seen.highest <= 2 * packets;
    int good = seen.udp == packets && bounds && !seen.repeated && !seen.size && !seen.structure;
    return !whole ? 2 : good ? 0 : 1;
}
