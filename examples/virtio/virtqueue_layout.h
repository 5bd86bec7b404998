/* The rings as both sides see them in memory (virtio 1.1, 2.6.5 to 2.6.8). */
#ifndef VIRTQUEUE_LAYOUT_H
#define VIRTQUEUE_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_DEVICE_WRITES = 2 };

struct descriptor {
    uint64_t physical;
    uint32_t bytes;
    uint16_t flags;
    uint16_t next;
};

enum { AVAILABLE_NO_INTERRUPT = 1 };

struct available_ring {
    uint16_t flags;
    _Atomic uint16_t index; /* where the driver will put the next entry, modulo 65,536 */
    uint16_t ring[];        /* first descriptors of chains */
};

enum { USED_NO_NOTIFY = 1 };

struct used_element {
    uint32_t head;    /* first descriptor of the chain */
    uint32_t written; /* bytes */
};

struct used_ring {
    _Atomic uint16_t flags;
    _Atomic uint16_t index; /* where the device will put the next entry, modulo 65,536 */
    struct used_element ring[];
};

_Static_assert(sizeof(struct descriptor) == 16, "layout of the spec");
_Static_assert(sizeof(struct available_ring) == 4 && sizeof(struct used_ring) == 4,
               "layout of the spec");

#endif
