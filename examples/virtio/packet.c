#include "packet.h"

#include <string.h>

/* clang-format off */
static const uint8_t template[PACKET_BYTES] = {
    /* Ethernet: destination, source, type IPv4 */
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
    0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
    0x08, 0x00,
    /* IPv4: 5 words of header, 46 bytes in all, TTL 64, UDP, header checksum,
     * from 10.0.0.1 to 10.0.0.2 */
    0x45, 0x00, 0x00, 0x2e,
    0x00, 0x00, 0x00, 0x00,
    0x40, 0x11, 0x66, 0xbd,
    10, 0, 0, 1,
    10, 0, 0, 2,
    /* UDP: from port 42 to port 1337, 26 bytes, no checksum */
    0x00, 0x2a, 0x05, 0x39,
    0x00, 0x1a, 0x00, 0x00,
    /* Payload: a mark, zeros, and in the last four bytes the sequence number */
    'i', 'x', 'y',
};
/* clang-format on */

void packet_write(uint8_t frame[PACKET_BYTES], uint32_t sequence)
{
    memcpy(frame, template, PACKET_SEQUENCE);
    memcpy(frame + PACKET_SEQUENCE, &sequence, sizeof sequence); /* little-endian */
}

void packet_touch(uint8_t *frame)
{
    frame[PACKET_TOUCHED]++;
}
