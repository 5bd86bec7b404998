/* The legacy interface (virtio 1.1, 4.1.4.8): 20 bytes of registers in the I/O BAR 0.
 *
 * sysfs gives I/O BARs as files: reading or writing 1, 2 or 4 bytes at an offset is one `in` or
 * `out` instruction of that width, done by the kernel. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "virtio.h"

enum {
    DEVICE_FEATURES = 0, /* u32 */
    DRIVER_FEATURES = 4, /* u32 */
    QUEUE_ADDRESS = 8,   /* u32, in pages of 4096 */
    QUEUE_SIZE = 12,     /* u16 */
    QUEUE_SELECT = 14,   /* u16 */
    QUEUE_NOTIFY = 16,   /* u16 */
    DEVICE_STATUS = 18,  /* u8 */
};

static void out(struct virtio_device *device, off_t offset, const void *value, size_t bytes)
{
    if (pwrite(device->registers, value, bytes, offset) != (ssize_t)bytes)
        fail("%s: cannot write I/O register %ld: %s", device->pci.address, (long)offset,
             strerror(errno));
}

static void in(struct virtio_device *device, off_t offset, void *value, size_t bytes)
{
    if (pread(device->registers, value, bytes, offset) != (ssize_t)bytes)
        fail("%s: cannot read I/O register %ld: %s; is legacy virtio switched off?",
             device->pci.address, (long)offset, strerror(errno));
}

static uint8_t get_status(struct virtio_device *device)
{
    uint8_t status;
    in(device, DEVICE_STATUS, &status, sizeof status);
    return status;
}

static void set_status(struct virtio_device *device, uint8_t status)
{
    out(device, DEVICE_STATUS, &status, sizeof status);
}

static uint64_t get_features(struct virtio_device *device)
{
    uint32_t features;
    in(device, DEVICE_FEATURES, &features, sizeof features);
    return features;
}

static void set_features(struct virtio_device *device, uint64_t features)
{
    uint32_t low = (uint32_t)features;
    out(device, DRIVER_FEATURES, &low, sizeof low);
}

static uint16_t queue_size(struct virtio_device *device, uint16_t index)
{
    uint16_t size;
    out(device, QUEUE_SELECT, &index, sizeof index);
    in(device, QUEUE_SIZE, &size, sizeof size);
    return size;
}

static void queue_start(struct virtio_device *device, struct virtqueue *queue)
{
    uint64_t address = queue->memory.physical / VIRTQUEUE_ALIGN;
    uint32_t register_value = (uint32_t)address;

    if (address != register_value)
        fail("%s: queue memory lies beyond what the legacy interface can address; use "
             "VIRTIO_MODE=modern", device->pci.address);
    out(device, QUEUE_SELECT, &queue->index, sizeof queue->index);
    out(device, QUEUE_ADDRESS, &register_value, sizeof register_value);
}

static void notify(struct virtio_device *device, struct virtqueue *queue)
{
    out(device, QUEUE_NOTIFY, &queue->index, sizeof queue->index);
}

static const struct virtio_transport legacy = {
    .name = "legacy",
    .required_features = FEATURE_ANY_LAYOUT,
    .get_status = get_status,
    .set_status = set_status,
    .get_features = get_features,
    .set_features = set_features,
    .queue_size = queue_size,
    .queue_start = queue_start,
    .notify = notify,
};

void legacy_open(struct virtio_device *device)
{
    device->transport = &legacy;
    device->registers = pci_open_bar(&device->pci, 0);
}
