/* Virtio devices on PCI: what every kind of device needs (virtio 1.1, chapters 2 to 4).
 *
 * There are two ways to talk to such a device. Legacy: a few registers in the I/O BAR 0. Modern:
 * structures in memory BARs, found through PCI capabilities. `struct virtio_transport` is what
 * they have in common; legacy.c and modern.c fill it in. */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <stdint.h>

#include "pci.h"
#include "virtqueue.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "virtio structures are little-endian; a big-endian machine needs conversions");

/* Device status bits (2.1). */
enum {
    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8, /* modern only */
    STATUS_FAILED = 128,
};

/* Feature bits that do not depend on the kind of device (6). */
#define FEATURE_ANY_LAYOUT (1ULL << 27) /* header and data may share a descriptor; legacy only */
#define FEATURE_VERSION_1 (1ULL << 32)  /* this is a modern device */

struct virtio_device;

struct virtio_transport {
    const char *name;
    uint64_t required_features;
    uint8_t (*get_status)(struct virtio_device *);
    void (*set_status)(struct virtio_device *, uint8_t status);
    uint64_t (*get_features)(struct virtio_device *);
    void (*set_features)(struct virtio_device *, uint64_t features);
    /* How many descriptors the queue has at most; 0: there is no such queue. */
    uint16_t (*queue_size)(struct virtio_device *, uint16_t index);
    /* Tell the device where the queue is. */
    void (*queue_start)(struct virtio_device *, struct virtqueue *);
    void (*notify)(struct virtio_device *, struct virtqueue *);
};

struct virtio_device {
    struct pci_device pci;
    const struct virtio_transport *transport;
    uint64_t features; /* those negotiated */
    int registers;     /* legacy: the I/O BAR */
    volatile uint8_t *common, *notify; /* modern: two of the device's structures, mapped */
    uint32_t notify_multiplier;
};

/* Both fill in the transport; `modern_open` fails when the device has no modern interface. */
void legacy_open(struct virtio_device *device);
void modern_open(struct virtio_device *device);

/* Claim the device and reset it. Modern devices are driven the modern way; transitional ones
 * (which know both) the legacy way, unless VIRTIO_MODE=modern is in the environment. */
void virtio_open(struct virtio_device *device, const char *address, uint16_t legacy_id,
                 uint16_t modern_id);

/* Negotiate: `required` must be offered, `wanted` is taken where offered. */
void virtio_negotiate(struct virtio_device *device, uint64_t required, uint64_t wanted);

/* Allocate queue `index` and tell the device about it. */
void virtio_start_queue(struct virtio_device *device, struct virtqueue *queue, uint16_t index);

/* All queues are ready: the device may work from now on. */
void virtio_start(struct virtio_device *device);

/* Make what was added to the queue visible, and notify the device if it asks for that. */
void virtio_kick(struct virtio_device *device, struct virtqueue *queue);

/* Stop the device: when this returns it no longer touches our memory. */
void virtio_reset(struct virtio_device *device);

#endif
