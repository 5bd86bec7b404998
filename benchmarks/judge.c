/* The rules of pytest-ixy about packets in C, as a yardstick: count, bounds, duplicates, size, structure,
 * payload, checksum, loss, timestamps, kinds and senders of foreign frames; of order how many are late, of
 * fresh how often numbers fall far.
 *
 *     cc -O3 -o judge judge.c && ./judge CAPTURE PACKETS
 *
 * Classic pcap in all four variants; Ethernet, up to two VLAN tags, IPv4 or IPv6 without extension
 * headers, UDP; other protocols' headers are not looked into. One line of
 * "name value" pairs goes to stdout; the status is 0 when every rule that fails a test holds, 1 when
 * not, 2 when the capture cannot be read to its end.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    HEADER = 24, RECORD = 16, LONGEST = 262144, FRAME = 60, UDP_LENGTH = 26, SEQUENCE_AT = 22, SENDERS = 1024,
};

static struct {
    uint64_t frames, udp, numbered, size, structure, shortened, repeated, highest, late, falls, lost, bursts;
    uint64_t time, backwards, furthest, out_of_range, unset, early, payload, ip, sum;
    uint64_t contradictory, replicated, foreign;
    uint64_t values[FRAME][256];    /* how many packets have each wrong value of each byte */
    uint64_t sizes[LONGEST + 1];    /* how many packets have each wrong size */
    uint64_t types[1 << 16], protocols[2][256];    /* how many foreign frames are of each kind */
    struct { uint64_t address, frames; } senders[SENDERS];  /* and who sent them, while there is room */
} seen;

static uint64_t window;     /* further than that a number does not fall */
static uint64_t bound;      /* numbers above it have no place in the order, and are not missed */
static uint32_t previous, top;

/* The dialect ixy-ci: what every packet has to be, and the bytes in which that matters. */
static const uint8_t template[FRAME] = {
    [12] = 0x08, [14] = 0x45, [23] = 17, [39] = UDP_LENGTH, [42] = 'i', [43] = 'x', [44] = 'y',
};
static const uint8_t fixed[FRAME] = {
    [12 ... 14] = 0xff, [23] = 0xff, [38 ... 39] = 0xff, [42 ... 55] = 0xff,
};

static uint64_t *bitmap, *twice;    /* one bit per number; the kernel gives pages when they are touched */

static inline uint32_t word(const uint8_t *at, int swap) {
    uint32_t value;
    memcpy(&value, at, 4);
    return swap ? __builtin_bswap32(value) : value;
}

static inline uint32_t pair(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }

static inline void number(uint32_t value) {
    uint64_t bit = 1ull << (value & 63), *slot = &bitmap[value >> 6];
    int repeated = (*slot & bit) != 0;
    if (repeated) {
        seen.repeated++;
        seen.replicated += !(twice[value >> 6] & bit);
        twice[value >> 6] |= bit;
    }
    *slot |= bit;
    seen.numbered++;
    seen.falls += (uint64_t)previous > value + window;
    previous = value;
    if (value > seen.highest) seen.highest = value;
    if (value > bound) return;
    if (value > top) top = value;
    else seen.late += !repeated && value < top;
}

static inline uint64_t eight(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, 8);
    return value;
}

static inline void payload(const uint8_t *frame, uint32_t captured) {
    uint64_t different = 0;
    uint32_t count = captured < FRAME ? captured : FRAME, at = 0;
    for (; at + 8 <= count; at += 8) different |= (eight(frame + at) ^ eight(template + at)) & eight(fixed + at);
    for (; at < count; at++) different |= (frame[at] ^ template[at]) & fixed[at];
    if (!different) return;
    seen.payload++;
    for (at = 0; at < count; at++)
        seen.values[at][frame[at]] += ((frame[at] ^ template[at]) & fixed[at]) != 0;
}

/* The sum of 16-bit words, modulo 65,535. 2^32 is 1 in that, so that two of them may be added at once, and
 * bytes may be swapped behind that. */
static inline uint64_t words(const uint8_t *at, uint32_t length) {
    uint64_t sum = 0;
    uint32_t i = 0;
    for (; i + 4 <= length; i += 4) sum += word(at + i, 1);
    for (; i + 2 <= length; i += 2) sum += pair(at + i);
    return length & 1 ? sum + (at[length - 1] << 8) : sum;
}

static inline void checksum(const uint8_t *frame, uint32_t captured, uint32_t network, uint32_t at) {
    int four = frame[network] >> 4 == 4;
    uint32_t length = pair(frame + at + 4);
    int ip = four && words(frame + network, at - network) % 0xffff, udp = 0;
    if (pair(frame + at + 6) && length >= 8 && captured >= at + length) {
        uint64_t addresses = four ? words(frame + network + 12, 8) : words(frame + network + 8, 32);
        udp = (words(frame + at, length) + addresses + 17 + length) % 0xffff != 0;
    }
    seen.ip += ip;
    seen.sum += ip || udp;
}

static void stranger(const uint8_t *frame, uint32_t network) {
    uint32_t type = pair(frame + network - 2), at;
    uint64_t address = (uint64_t)pair(frame + 6) << 32 | word(frame + 8, 1);
    seen.foreign++;
    if (type == 0x0800) seen.protocols[0][frame[network + 9]]++;
    else if (type == 0x86dd) seen.protocols[1][frame[network + 6]]++;
    else seen.types[type]++;
    for (at = address % SENDERS; seen.senders[at].frames && seen.senders[at].address != address; at++)
        if (at + 1 == SENDERS) return;
    seen.senders[at].address = address;
    seen.senders[at].frames++;
}

/* Offset of the UDP header; 0 when there is none, -1 when headers are cut, -2 when they contradict themselves. */
static inline int64_t udp_of(const uint8_t *frame, uint32_t captured, uint32_t *internet) {
    uint32_t network = 14, type, length, protocol;
    if (captured < network) return -1;
    type = pair(frame + 12);
    for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8 || type == 0x9100); tags++) {
        network += 4;
        if (captured < network) return -1;
        type = pair(frame + network - 2);
    }
    *internet = network;
    if (type == 0x0800) {
        if (captured < network + 20) return -1;
        if (frame[network] >> 4 != 4) return -2;
        length = (frame[network] & 15) * 4;
        protocol = frame[network + 9];
        if (length < 20 || pair(frame + network + 2) < length) return -2;
    } else if (type == 0x86dd) {
        if (captured < network + 40) return -1;
        if (frame[network] >> 4 != 6) return -2;
        length = 40;
        protocol = frame[network + 6];
    } else {
        return 0;
    }
    if (captured < network + length + (protocol == 17 ? 8 : 0)) return -1;
    return protocol == 17 ? network + length : 0;
}

static inline void judge(const uint8_t *frame, uint32_t captured, uint32_t original) {
    uint32_t network;
    int64_t at = udp_of(frame, captured, &network);
    seen.frames++;
    seen.shortened += captured < original;
    seen.contradictory += captured > original;
    if (at <= 0) {
        if (!at) stranger(frame, network);
        seen.structure += at == -2 || (at && captured >= original);
        return;
    }
    seen.udp++;
    uint32_t size = captured > original ? captured : original;
    if (size != FRAME) {
        seen.size++;
        seen.sizes[size < LONGEST ? size : LONGEST]++;
    }
    const uint8_t *udp = frame + at;
    checksum(frame, captured, network, at);
    if (pair(udp + 4) != UDP_LENGTH) {
        seen.structure++;
    } else if (captured < at + 11 || memcmp(udp + 8, "ixy", 3)) {
        seen.structure += captured >= original || captured >= at + 11;
    } else if (captured >= at + UDP_LENGTH) {
        uint32_t value;    /* little-endian, as the machines this runs on */
        memcpy(&value, udp + SEQUENCE_AT, 4);
        number(value);
        payload(frame, captured);
    }
}

/* Times are in the units of the fraction, of which a second has that many. */
static inline void stamp(uint32_t seconds, uint32_t fraction, uint64_t second) {
    uint64_t time = seconds * second + fraction;
    seen.out_of_range += fraction >= second;
    seen.unset += time == 0;
    seen.early += time < 946684800 * second;
    if (time < seen.time) {
        seen.backwards++;
        if (seen.time - time > seen.furthest) seen.furthest = seen.time - time;
    }
    seen.time = time;
}

/* Count the numbers missing below the highest one up to `bound`, and the runs that they stand in. */
static void lose(void) {
    uint64_t before = 0;
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
    uint64_t position = HEADER, second = magic == 0xa1b23c4d || magic == 0x4d3cb2a1 ? 1000000000 : 1000000;
    while (position + RECORD <= size) {
        uint32_t captured = word(data + position + 8, swap);
        if (captured > LONGEST || position + RECORD + captured > size) return 0;
        stamp(word(data + position, swap), word(data + position + 4, swap), second);
        judge(data + position + RECORD, captured, word(data + position + 12, swap));
        position += RECORD + captured;
    }
    return position == size;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    uint64_t packets = strtoull(arguments[2], NULL, 10);
    bound = 2 * packets;
    window = packets < 8 ? 1 : packets / 4 < 4096 ? packets / 4 : 4096;
    int file = open(arguments[1], O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) || status.st_size < HEADER) return 2;
    uint8_t *data = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    bitmap = mmap(NULL, 1ull << 29, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    twice = mmap(NULL, 1ull << 29, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED || bitmap == MAP_FAILED || twice == MAP_FAILED) return 2;
    madvise(data, status.st_size, MADV_SEQUENTIAL);
    int whole = walk(data, status.st_size);
    lose();
    printf("frames %lu udp %lu numbered %lu highest %lu duplicates %lu size %lu structure %lu shortened %lu "
           "late %lu falls %lu lost %lu bursts %lu backwards %lu out-of-range %lu unset %lu early %lu "
           "payload %lu checksum %lu ip %lu contradictory %lu replicated %lu foreign %lu\n",
           seen.frames, seen.udp, seen.numbered, seen.highest, seen.repeated, seen.size, seen.structure,
           seen.shortened, seen.late, seen.falls, seen.lost, seen.bursts, seen.backwards, seen.out_of_range,
           seen.unset, seen.early, seen.payload, seen.sum, seen.ip, seen.contradictory, seen.replicated,
           seen.foreign);
    int bounds = seen.highest + 1 >= packets && seen.highest <= bound;
    int good = seen.udp == packets && bounds && !seen.repeated && !seen.size && !seen.structure && !seen.falls;
    good = good && !seen.backwards && !seen.out_of_range && !seen.early;
    return !whole ? 2 : good ? 0 : 1;
}
