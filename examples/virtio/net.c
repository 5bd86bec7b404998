#include "net.h"

#include <string.h>
#include <unistd.h>

#include "fail.h"

/* Device ids: transitional devices (legacy and perhaps modern), modern devices. */
enum { NET_LEGACY_ID = 0x1000, NET_MODERN_ID = 0x1041 };

enum { QUEUE_RECEIVE = 0, QUEUE_SEND = 1, QUEUE_CONTROL = 2 };

#define FEATURE_CONTROL_QUEUE (1ULL << 17)
#define FEATURE_CONTROL_RECEIVE (1ULL << 18) /* promiscuous mode by command */

/* struct virtio_net_hdr (5.1.6) describes offloads; we use none, so it is all zeros. Modern
 * devices always have its last member (num_buffers), legacy ones only with merged buffers. */
enum { HEADER_BYTES_LEGACY = 10, HEADER_BYTES_MODERN = 12 };

/* Commands (5.1.6.5): two bytes of header, one of data, and one for the device's answer. */
enum { CONTROL_RECEIVE = 0, CONTROL_PROMISCUOUS = 0, CONTROL_OK = 0, CONTROL_PENDING = 0xff };

enum { WAIT_TRIES = 1000, WAIT_MICROSECONDS = 1000 };

void net_open(struct net *net, const char *address)
{
    memset(net, 0, sizeof *net);
    virtio_open(&net->virtio, address, NET_LEGACY_ID, NET_MODERN_ID);
}

/* Give the device empty buffers to receive into, as many as it may hold. */
static void refill(struct net *net)
{
    struct buffer *buffer;

    while (net->receive.free && (buffer = pool_get(net->pool))) {
        struct segment segment = {
            .physical = buffer->physical - net->header_bytes,
            .bytes = FRAME_MAX + net->header_bytes,
            .device_writes = true,
        };
        virtqueue_add(&net->receive, &segment, 1, buffer);
    }
    virtio_kick(&net->virtio, &net->receive);
}

static void command_promiscuous(struct net *net)
{
    struct {
        uint8_t class, command, on, answer;
    } *message;
    struct dma_memory memory = dma_alloc(sizeof *message);
    struct segment segments[] = {
        {.physical = memory.physical, .bytes = 2},
        {.physical = memory.physical + 2, .bytes = 1},
        {.physical = memory.physical + 3, .bytes = 1, .device_writes = true},
    };
    uint32_t written;

    message = memory.virtual;
    message->class = CONTROL_RECEIVE;
    message->command = CONTROL_PROMISCUOUS;
    message->on = 1;
    message->answer = CONTROL_PENDING;
    virtqueue_add(&net->control, segments, 3, message);
    virtio_kick(&net->virtio, &net->control);
    for (int tries = 0; !virtqueue_take(&net->control, &written); tries++) {
        if (tries == WAIT_TRIES)
            fail("%s: the device does not answer on its control queue", net->virtio.pci.address);
        usleep(WAIT_MICROSECONDS);
    }
    if (message->answer != CONTROL_OK)
        fail("%s: the device refuses promiscuous mode", net->virtio.pci.address);
}

void net_start(struct net *net, struct pool *pool)
{
    struct virtio_device *virtio = &net->virtio;

    net->pool = pool;
    virtio_negotiate(virtio, 0, FEATURE_CONTROL_QUEUE | FEATURE_CONTROL_RECEIVE);
    bool modern = virtio->features & FEATURE_VERSION_1;
    bool control = virtio->features & FEATURE_CONTROL_QUEUE;
    net->header_bytes = modern ? HEADER_BYTES_MODERN : HEADER_BYTES_LEGACY;
    virtio_start_queue(virtio, &net->receive, QUEUE_RECEIVE);
    virtio_start_queue(virtio, &net->send, QUEUE_SEND);
    if (control)
        virtio_start_queue(virtio, &net->control, QUEUE_CONTROL);
    virtio_start(virtio);
    /* A device that does not offer the command passes every frame anyway (5.1.6.5.1). */
    if (control && (virtio->features & FEATURE_CONTROL_RECEIVE))
        command_promiscuous(net);
    refill(net);
}

size_t net_receive(struct net *net, struct buffer **frames, size_t count)
{
    struct buffer *buffer;
    uint32_t written;
    size_t got = 0;

    while (got < count && (buffer = virtqueue_take(&net->receive, &written))) {
        if (written <= net->header_bytes || written > net->header_bytes + FRAME_MAX) {
            pool_put(net->pool, buffer);
            continue;
        }
        buffer->bytes = written - net->header_bytes;
        frames[got++] = buffer;
    }
    if (got)
        refill(net);
    return got;
}

static void take_back_sent(struct net *net)
{
    struct buffer *buffer;
    uint32_t written;

    while ((buffer = virtqueue_take(&net->send, &written)))
        pool_put(net->pool, buffer);
}

size_t net_send(struct net *net, struct buffer **frames, size_t count)
{
    size_t sent = 0;

    take_back_sent(net);
    for (; sent < count && net->send.free; sent++) {
        struct buffer *buffer = frames[sent];
        struct segment segment = {
            .physical = buffer->physical - net->header_bytes,
            .bytes = buffer->bytes + net->header_bytes,
        };
        memset(buffer->data - net->header_bytes, 0, net->header_bytes);
        virtqueue_add(&net->send, &segment, 1, buffer);
    }
    virtio_kick(&net->virtio, &net->send); /* once for the whole batch */
    return sent;
}

void net_close(struct net *net)
{
    for (int tries = 0; virtqueue_in_flight(&net->send) && tries < WAIT_TRIES; tries++) {
        take_back_sent(net);
        usleep(WAIT_MICROSECONDS);
    }
    virtio_reset(&net->virtio);
}
