#include "virtqueue.h"

#include <stdlib.h>

#include "fail.h"
#include "virtqueue_layout.h"

static size_t align(size_t bytes)
{
    return (bytes + VIRTQUEUE_ALIGN - 1) / VIRTQUEUE_ALIGN * VIRTQUEUE_ALIGN;
}

/* Each ring is followed by two bytes for an optional feature (event index) that we do not use. */
static size_t lay_out(struct virtqueue *queue)
{
    const size_t event = sizeof(uint16_t);

    queue->available_offset = queue->size * sizeof(struct descriptor);
    queue->used_offset = align(queue->available_offset + sizeof(struct available_ring) +
                               queue->size * sizeof(uint16_t) + event);
    return align(queue->used_offset + sizeof(struct used_ring) +
                 queue->size * sizeof(struct used_element) + event);
}

void virtqueue_init(struct virtqueue *queue, uint16_t index, uint16_t size)
{
    if (size == 0 || (size & (size - 1)) != 0)
        fail("virtqueue %u: the device says %u descriptors, which is no power of two", index, size);
    *queue = (struct virtqueue){.index = index, .size = size};
    queue->memory = dma_alloc(lay_out(queue));
    char *base = queue->memory.virtual;
    queue->descriptors = (void *)base;
    queue->available = (void *)(base + queue->available_offset);
    queue->used = (void *)(base + queue->used_offset);
    queue->cookies = calloc(size, sizeof *queue->cookies);
    if (!queue->cookies)
        fail("virtqueue %u: out of memory", index);
    for (uint16_t i = 0; i < size; i++)
        queue->descriptors[i].next = i + 1;
    queue->free = size < VIRTQUEUE_IN_FLIGHT ? size : VIRTQUEUE_IN_FLIGHT;
    queue->available->flags = AVAILABLE_NO_INTERRUPT; /* we poll */
}

bool virtqueue_add(struct virtqueue *queue, const struct segment *segments, int count,
                   void *cookie)
{
    uint16_t head = queue->free_head, next = head;
    struct descriptor *descriptor = NULL;

    if (queue->free < count)
        return false;
    for (int i = 0; i < count; i++) {
        descriptor = &queue->descriptors[next];
        descriptor->physical = segments[i].physical;
        descriptor->bytes = segments[i].bytes;
        descriptor->flags = DESCRIPTOR_NEXT;
        if (segments[i].device_writes)
            descriptor->flags |= DESCRIPTOR_DEVICE_WRITES;
        next = descriptor->next;
    }
    descriptor->flags &= ~DESCRIPTOR_NEXT; /* the last of the chain */
    queue->free -= count;
    queue->free_head = next;
    queue->cookies[head] = cookie;
    /* The index runs freely and wraps at 65,536; its place in the ring is the rest modulo size. */
    queue->available->ring[queue->next_available++ & (queue->size - 1)] = head;
    return true;
}

bool virtqueue_publish(struct virtqueue *queue)
{
    if (queue->next_available ==
        atomic_load_explicit(&queue->available->index, memory_order_relaxed))
        return false;
    /* Release: the device must see descriptors and ring entries before the index. */
    atomic_store_explicit(&queue->available->index, queue->next_available, memory_order_release);
    /* Full barrier: the index must be visible before we read the flag. Else both sides could
     * miss each other: the device sees no work and sleeps, we see "no notification needed". */
    atomic_thread_fence(memory_order_seq_cst);
    return !(atomic_load_explicit(&queue->used->flags, memory_order_relaxed) & USED_NO_NOTIFY);
}

/* Put a chain's descriptors back in front of the free ones. */
static void release_chain(struct virtqueue *queue, uint16_t head)
{
    uint16_t last = head, count = 1;

    while (queue->descriptors[last].flags & DESCRIPTOR_NEXT) {
        last = queue->descriptors[last].next;
        count++;
    }
    queue->descriptors[last].next = queue->free_head;
    queue->free_head = head;
    queue->free += count;
}

void *virtqueue_take(struct virtqueue *queue, uint32_t *written)
{
    /* Acquire: what we read of the entry and the data must not be older than the index. */
    uint16_t device_index = atomic_load_explicit(&queue->used->index, memory_order_acquire);

    if (queue->next_used == device_index)
        return NULL;
    struct used_element element = queue->used->ring[queue->next_used++ & (queue->size - 1)];
    void *cookie = element.head < queue->size ? queue->cookies[element.head] : NULL;
    if (!cookie)
        fail("virtqueue %u: the device returned chain %u, which it does not hold", queue->index,
             element.head);
    queue->cookies[element.head] = NULL;
    release_chain(queue, (uint16_t)element.head);
    *written = element.written;
    return cookie;
}

uint16_t virtqueue_in_flight(const struct virtqueue *queue)
{
    return queue->next_available - queue->next_used;
}
