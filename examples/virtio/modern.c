/* The modern interface (virtio 1.1, 4.1.4): structures in memory BARs.
 *
 * Where they are is said by vendor capabilities in the PCI configuration space, one for each
 * structure. We need two: the common configuration and the notification area. */
#include "fail.h"
#include "virtio.h"

/* Configuration space: where the list of capabilities starts. */
enum { CONFIG_CAPABILITIES = 0x34, CAPABILITY_VENDOR = 0x09, CONFIG_BYTES = 256 };

/* struct virtio_pci_cap and its kinds (4.1.4). */
struct capability {
    uint8_t id, next, length, kind, bar, padding[3];
    uint32_t offset, bytes;
    uint32_t notify_multiplier; /* only in a capability of kind KIND_NOTIFY */
};
enum { KIND_COMMON = 1, KIND_NOTIFY = 2 };

/* struct virtio_pci_common_cfg (4.1.4.3). */
enum {
    DEVICE_FEATURE_SELECT = 0, /* u32: which half */
    DEVICE_FEATURE = 4,        /* u32 */
    DRIVER_FEATURE_SELECT = 8, /* u32 */
    DRIVER_FEATURE = 12,       /* u32 */
    DEVICE_STATUS = 20,        /* u8 */
    QUEUE_SELECT = 22,         /* u16 */
    QUEUE_SIZE = 24,           /* u16 */
    QUEUE_ENABLE = 28,         /* u16 */
    QUEUE_NOTIFY_OFFSET = 30,  /* u16 */
    QUEUE_DESCRIPTORS = 32,    /* u64 */
    QUEUE_DRIVER = 40,         /* u64: the available ring */
    QUEUE_DEVICE = 48,         /* u64: the used ring */
    COMMON_BYTES = 56,
};

/* Registers must be accessed at their own width (4.1.3.1); volatile keeps every access. */
static volatile uint16_t *reg16(struct virtio_device *device, int offset)
{
    return (volatile uint16_t *)(device->common + offset);
}

static volatile uint32_t *reg32(struct virtio_device *device, int offset)
{
    return (volatile uint32_t *)(device->common + offset);
}

/* The spec has 64-bit registers written as two halves. */
static void write64(struct virtio_device *device, int offset, uint64_t value)
{
    *reg32(device, offset) = (uint32_t)value;
    *reg32(device, offset + 4) = (uint32_t)(value >> 32);
}

static uint8_t get_status(struct virtio_device *device)
{
    return device->common[DEVICE_STATUS];
}

static void set_status(struct virtio_device *device, uint8_t status)
{
    device->common[DEVICE_STATUS] = status;
}

static uint64_t get_features(struct virtio_device *device)
{
    *reg32(device, DEVICE_FEATURE_SELECT) = 0;
    uint64_t low = *reg32(device, DEVICE_FEATURE);
    *reg32(device, DEVICE_FEATURE_SELECT) = 1;
    return low | (uint64_t)*reg32(device, DEVICE_FEATURE) << 32;
}

static void set_features(struct virtio_device *device, uint64_t features)
{
    *reg32(device, DRIVER_FEATURE_SELECT) = 0;
    *reg32(device, DRIVER_FEATURE) = (uint32_t)features;
    *reg32(device, DRIVER_FEATURE_SELECT) = 1;
    *reg32(device, DRIVER_FEATURE) = (uint32_t)(features >> 32);
}

static uint16_t queue_size(struct virtio_device *device, uint16_t index)
{
    *reg16(device, QUEUE_SELECT) = index;
    return *reg16(device, QUEUE_SIZE);
}

static void queue_start(struct virtio_device *device, struct virtqueue *queue)
{
    *reg16(device, QUEUE_SELECT) = queue->index;
    write64(device, QUEUE_DESCRIPTORS, queue->memory.physical);
    write64(device, QUEUE_DRIVER, queue->memory.physical + queue->available_offset);
    write64(device, QUEUE_DEVICE, queue->memory.physical + queue->used_offset);
    /* Each queue has its own doorbell, or all share one where the multiplier is 0 (4.1.4.4). */
    queue->doorbell = device->notify +
                      *reg16(device, QUEUE_NOTIFY_OFFSET) * device->notify_multiplier;
    *reg16(device, QUEUE_ENABLE) = 1;
}

static void notify(struct virtio_device *device, struct virtqueue *queue)
{
    (void)device;
    *(volatile uint16_t *)queue->doorbell = queue->index;
}

static const struct virtio_transport modern = {
    .name = "modern",
    .required_features = FEATURE_VERSION_1,
    .get_status = get_status,
    .set_status = set_status,
    .get_features = get_features,
    .set_features = set_features,
    .queue_size = queue_size,
    .queue_start = queue_start,
    .notify = notify,
};

/* Map the part of a BAR that a capability describes; NULL if the BAR is of no use to us. */
static volatile uint8_t *map_structure(struct virtio_device *device,
                                       const struct capability *capability)
{
    uint64_t bytes;

    if (capability->bar > 5)
        return NULL; /* reserved: must be ignored (4.1.4.1) */
    volatile uint8_t *bar = pci_map_bar(&device->pci, capability->bar, &bytes);
    if ((uint64_t)capability->offset + capability->bytes > bytes)
        fail("%s: a virtio capability points beyond its BAR %u", device->pci.address,
             capability->bar);
    return bar + capability->offset;
}

/* The first capability of a kind is the one that the device prefers. */
static void use_capability(struct virtio_device *device, const struct capability *capability)
{
    if (capability->kind == KIND_COMMON && !device->common && capability->bytes >= COMMON_BYTES)
        device->common = map_structure(device, capability);
    if (capability->kind == KIND_NOTIFY && !device->notify) {
        device->notify = map_structure(device, capability);
        device->notify_multiplier = capability->notify_multiplier;
    }
}

void modern_open(struct virtio_device *device)
{
    struct capability capability;
    uint8_t offset;
    int left = CONFIG_BYTES / 4; /* a broken list must not keep us here for ever */

    device->transport = &modern;
    pci_config_read(&device->pci, &offset, sizeof offset, CONFIG_CAPABILITIES);
    for (; offset && left; offset = capability.next, left--) {
        capability = (struct capability){0};
        offset &= ~3;
        uint32_t bytes = sizeof capability;
        if (offset + bytes > CONFIG_BYTES)
            bytes = CONFIG_BYTES - offset;
        pci_config_read(&device->pci, &capability, bytes, offset);
        if (capability.id == CAPABILITY_VENDOR)
            use_capability(device, &capability);
    }
    if (!device->common || !device->notify)
        fail("%s: the device has no modern interface; unset VIRTIO_MODE or use another device",
             device->pci.address);
}
