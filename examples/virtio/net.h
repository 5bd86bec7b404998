/* The virtio network device (virtio 1.1, 5.1): one queue to receive, one to send, and one for
 * commands where the device has it. */
#ifndef NET_H
#define NET_H

#include "pool.h"
#include "virtio.h"

/* Buffers that one device can hold at a time. */
enum { NET_BUFFERS = 2 * VIRTQUEUE_IN_FLIGHT };

struct net {
    struct virtio_device virtio;
    struct virtqueue receive, send, control;
    struct pool *pool;
    uint32_t header_bytes; /* in front of every frame */
};

/* Claim and reset the device at a PCI address. Open all devices before allocating any DMA memory:
 * one whose last program was killed may still write to memory that is now free. */
void net_open(struct net *net, const char *address);

/* Bring it up, promiscuous, with buffers from the pool. */
void net_start(struct net *net, struct pool *pool);

/* Take up to `count` frames that have come. The buffers are the caller's. */
size_t net_receive(struct net *net, struct buffer **frames, size_t count);

/* Hand over frames to be sent, and return how many found room, from the first on; these go back
 * to the pool once sent. The others stay the caller's. */
size_t net_send(struct net *net, struct buffer **frames, size_t count);

/* Let the device finish what it has to send (for a second at most) and reset it. */
void net_close(struct net *net);

#endif
