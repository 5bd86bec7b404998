#include "virtio.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

enum { VENDOR_VIRTIO = 0x1af4 };

static bool modern_wanted(struct virtio_device *device, uint16_t modern_id)
{
    const char *mode = getenv("VIRTIO_MODE");
    bool modern_only = device->pci.device_id == modern_id;

    if (!mode || *mode == '\0')
        return modern_only;
    if (strcmp(mode, "modern") == 0)
        return true;
    if (strcmp(mode, "legacy") != 0)
        fail("VIRTIO_MODE is '%s'; expected modern or legacy", mode);
    if (modern_only)
        fail("%s: a modern-only device (id 0x%04x) has no legacy interface; unset VIRTIO_MODE",
             device->pci.address, device->pci.device_id);
    return false;
}

void virtio_open(struct virtio_device *device, const char *address, uint16_t legacy_id,
                 uint16_t modern_id)
{
    struct pci_device *pci = &device->pci;

    memset(device, 0, sizeof *device);
    pci_open(pci, address);
    if (pci->vendor_id != VENDOR_VIRTIO ||
        (pci->device_id != legacy_id && pci->device_id != modern_id))
        fail("%s: device %04x:%04x is not the kind this driver knows (%04x:%04x or %04x:%04x)",
             pci->address, pci->vendor_id, pci->device_id, VENDOR_VIRTIO, legacy_id, VENDOR_VIRTIO,
             modern_id);
    bool modern = modern_wanted(device, modern_id);
    pci_claim(pci);
    if (modern)
        modern_open(device);
    else
        legacy_open(device);
    virtio_reset(device);
}

/* The order of these steps is prescribed (3.1.1). */
void virtio_negotiate(struct virtio_device *device, uint64_t required, uint64_t wanted)
{
    const struct virtio_transport *transport = device->transport;
    uint8_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;

    transport->set_status(device, STATUS_ACKNOWLEDGE);
    transport->set_status(device, status);
    uint64_t offered = transport->get_features(device);
    required |= transport->required_features;
    if (required & ~offered)
        fail("%s: the device lacks features that this driver needs (bits 0x%llx; it offers "
             "0x%llx)", device->pci.address, (unsigned long long)(required & ~offered),
             (unsigned long long)offered);
    device->features = required | (wanted & offered);
    transport->set_features(device, device->features);
    if (!(device->features & FEATURE_VERSION_1))
        return; /* a legacy device has no say in it */
    transport->set_status(device, status | STATUS_FEATURES_OK);
    if (!(transport->get_status(device) & STATUS_FEATURES_OK))
        fail("%s: the device refuses the features 0x%llx of 0x%llx; it may need an IOMMU platform",
             device->pci.address, (unsigned long long)device->features,
             (unsigned long long)offered);
}

void virtio_start_queue(struct virtio_device *device, struct virtqueue *queue, uint16_t index)
{
    uint16_t size = device->transport->queue_size(device, index);

    if (size == 0)
        fail("%s: the device has no virtqueue %u", device->pci.address, index);
    virtqueue_init(queue, index, size);
    device->transport->queue_start(device, queue);
}

void virtio_start(struct virtio_device *device)
{
    const struct virtio_transport *transport = device->transport;

    transport->set_status(device, transport->get_status(device) | STATUS_DRIVER_OK);
}

void virtio_kick(struct virtio_device *device, struct virtqueue *queue)
{
    if (virtqueue_publish(queue))
        device->transport->notify(device, queue);
}

void virtio_reset(struct virtio_device *device)
{
    const useconds_t pause = 1000;

    device->transport->set_status(device, 0);
    /* The reset is done when the status reads 0 (4.1.4.3.2); give it a second. */
    for (int tries = 0; device->transport->get_status(device) != 0; tries++) {
        if (tries == 1000)
            fail("%s: the device does not finish its reset", device->pci.address);
        usleep(pause);
    }
}
