/* A split virtqueue (virtio 1.1, 2.6): three arrays in memory shared with the device.
 *
 *   descriptor table   WHAT: address and length of pieces of memory, chained by `next`
 *   available ring     driver -> device: "here is a chain, work on it"
 *   used ring          device -> driver: "done with that chain"
 *
 * See the README for the picture. */
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dma.h"

/* The legacy interface wants the used ring on a page boundary; modern devices do not mind. */
enum { VIRTQUEUE_ALIGN = 4096 };

/* At most this many chains are in flight, however long the device's queue is: more would only
 * hold more buffers. */
enum { VIRTQUEUE_IN_FLIGHT = 512 };

/* A piece of memory for the device to read, or to write. */
struct segment {
    uint64_t physical;
    uint32_t bytes;
    bool device_writes;
};

struct virtqueue {
    uint16_t index;          /* number of the queue in its device */
    uint16_t size;           /* descriptors, a power of two */
    uint16_t free;           /* descriptors that we may use now */
    uint16_t free_head;      /* first of them; chained by `next` */
    uint16_t next_available; /* chains ever added, modulo 65,536 */
    uint16_t next_used;      /* chains ever taken back, modulo 65,536 */
    struct descriptor *descriptors;
    struct available_ring *available;
    struct used_ring *used;
    void **cookies;         /* by first descriptor: what the caller gave with the chain */
    struct dma_memory memory; /* all three arrays */
    size_t available_offset, used_offset;
    volatile uint8_t *doorbell; /* set by the modern transport */
};

/* Allocate and lay out the rings. */
void virtqueue_init(struct virtqueue *queue, uint16_t index, uint16_t size);

/* Add a chain of `count` segments; those the device reads come first. `cookie` (not NULL) comes
 * back with the chain. False when there are not enough free descriptors. */
bool virtqueue_add(struct virtqueue *queue, const struct segment *segments, int count,
                   void *cookie);

/* Show the device all that was added. True when it wants a notification. */
bool virtqueue_publish(struct virtqueue *queue);

/* Take back the next finished chain: its cookie, and how many bytes the device wrote. NULL when
 * the device has finished none. */
void *virtqueue_take(struct virtqueue *queue, uint32_t *written);

/* Chains that the device still holds. */
uint16_t virtqueue_in_flight(const struct virtqueue *queue);

#endif
