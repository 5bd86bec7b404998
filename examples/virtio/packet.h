/* The test packet: 60 bytes (64 with the checksum that real NICs append). */
#ifndef PACKET_H
#define PACKET_H

#include <stdint.h>

enum { PACKET_BYTES = 60, PACKET_SEQUENCE = PACKET_BYTES - 4, PACKET_TOUCHED = 1 };

/* Write the packet with this sequence number. */
void packet_write(uint8_t frame[PACKET_BYTES], uint32_t sequence);

/* What a forwarder does to each frame, so that its data really passes through the processor. */
void packet_touch(uint8_t *frame);

#endif
