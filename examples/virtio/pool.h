/* Packet buffers in DMA memory. A buffer has one owner at a time: the pool, the program, or a
 * device; it comes back to the pool only when the device has returned it. */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    BUFFER_BYTES = 2048,
    BUFFER_HEADROOM = 64, /* in front of the frame, for the device's packet header */
    FRAME_MAX = BUFFER_BYTES - BUFFER_HEADROOM,
};

struct buffer {
    uint8_t *data;     /* the frame */
    uint64_t physical; /* of `data` */
    uint32_t bytes;    /* length of the frame */
};

struct pool {
    size_t count, free;
    struct buffer *buffers;
    struct buffer **stack; /* the free ones */
};

void pool_init(struct pool *pool, size_t count);

/* A buffer of no particular content, or NULL when all are in use. */
struct buffer *pool_get(struct pool *pool);

void pool_put(struct pool *pool, struct buffer *buffer);

#endif
