/* Tests of what runs without a device: `make check`. The device's side of a virtqueue is played
 * by fake_device() below, on ordinary memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "dma.h"
#include "mischief.h"
#include "options.h"
#include "packet.h"
#include "virtqueue.h"
#include "virtqueue_layout.h"

#define CHECK(condition) check(condition, #condition, __LINE__)

static void check(bool holds, const char *condition, int line)
{
    if (holds)
        return;
    fprintf(stderr, "selftest: line %d: does not hold: %s\n", line, condition);
    exit(EXIT_FAILURE);
}

/* In place of dma.c: memory where "physical" and virtual addresses are the same. */
struct dma_memory dma_alloc(size_t bytes)
{
    size_t rounded = (bytes + VIRTQUEUE_ALIGN - 1) / VIRTQUEUE_ALIGN * VIRTQUEUE_ALIGN;
    void *memory = aligned_alloc(VIRTQUEUE_ALIGN, rounded);
    CHECK(memory != NULL);
    memset(memory, 0, rounded);
    return (struct dma_memory){.virtual = memory, .physical = (uintptr_t)memory};
}

/* The device's side: take up to `most` chains and return them, newest first if `backwards`. It
 * writes its own index modulo 65,536 into each chain's last segment, whose bytes it reports. */
struct fake_device {
    uint16_t seen, done;
};

static uint32_t fake_work(struct virtqueue *queue, uint16_t head)
{
    struct descriptor *descriptor = &queue->descriptors[head];

    while (descriptor->flags & DESCRIPTOR_NEXT)
        descriptor = &queue->descriptors[descriptor->next];
    CHECK(descriptor->flags & DESCRIPTOR_DEVICE_WRITES);
    memset((void *)(uintptr_t)descriptor->physical, 0xd0, descriptor->bytes);
    return descriptor->bytes;
}

static void fake_device(struct virtqueue *queue, struct fake_device *device, uint16_t most,
                        bool backwards)
{
    uint16_t waiting = queue->available->index - device->seen;
    uint16_t count = waiting < most ? waiting : most, mask = queue->size - 1;

    for (uint16_t i = 0; i < count; i++) {
        uint16_t place = device->seen + (backwards ? count - 1 - i : i);
        uint16_t head = queue->available->ring[place & mask];
        queue->used->ring[device->done++ & mask] =
            (struct used_element){.head = head, .written = fake_work(queue, head)};
    }
    device->seen += count;
    queue->used->index = device->done;
}

/* Send several times 65,536 chains of 1 to 3 segments through a small queue, in batches of
 * changing size, returned in changing order; each must come back once, with its own data. */
static void test_virtqueue(void)
{
    enum { SIZE = 16, TOTAL = 300000 };
    static uint8_t answers[SIZE];
    bool held[SIZE] = {false};
    struct virtqueue queue;
    struct fake_device device = {0};
    uint32_t added = 0, taken = 0, written;
    uint8_t *cookie;

    virtqueue_init(&queue, 0, SIZE);
    while (taken < TOTAL) {
        for (uint32_t batch = added % 7 + 1; batch > 0; batch--) {
            int slot = 0, count = added % 3 + 1;
            while (slot < SIZE && held[slot])
                slot++;
            struct segment segments[3] = {{.bytes = 4}, {.bytes = 4}, {.bytes = 4}};
            segments[count - 1] = (struct segment){(uintptr_t)&answers[slot], 1, true};
            if (slot == SIZE || !virtqueue_add(&queue, segments, count, &answers[slot]))
                break;
            held[slot] = true;
            answers[slot] = 0;
            added++;
        }
        virtqueue_publish(&queue);
        fake_device(&queue, &device, added % 5 + 1, added % 2);
        while ((cookie = virtqueue_take(&queue, &written))) {
            CHECK(written == 1 && *cookie == 0xd0 && held[cookie - answers]);
            held[cookie - answers] = false;
            taken++;
        }
        CHECK(virtqueue_in_flight(&queue) == added - taken);
    }
    free(queue.cookies);
    free(queue.memory.virtual);
}

static void test_notification(void)
{
    struct virtqueue queue;
    struct segment segment = {.bytes = 1};

    virtqueue_init(&queue, 0, 4);
    CHECK(!virtqueue_publish(&queue)); /* nothing new */
    CHECK(virtqueue_add(&queue, &segment, 1, &queue));
    CHECK(virtqueue_publish(&queue));
    queue.used->flags = USED_NO_NOTIFY;
    CHECK(virtqueue_add(&queue, &segment, 1, &queue));
    CHECK(!virtqueue_publish(&queue));
    CHECK(virtqueue_add(&queue, &segment, 1, &queue) && virtqueue_add(&queue, &segment, 1, &queue));
    CHECK(!virtqueue_add(&queue, &segment, 1, &queue)); /* full */
    free(queue.cookies);
    free(queue.memory.virtual);
}

static void test_packet(void)
{
    uint8_t frame[PACKET_BYTES];
    uint32_t sum = 0;

    packet_write(frame, 0x01020304);
    CHECK(memcmp(frame + PACKET_SEQUENCE, "\4\3\2\1", 4) == 0);
    for (int i = 14; i < 34; i += 2)
        sum += frame[i] << 8 | frame[i + 1];
    CHECK((sum & 0xffff) + (sum >> 16) == 0xffff); /* the IPv4 checksum is right */
    packet_touch(frame);
    CHECK(frame[0] == 1 && frame[1] == 3 && frame[2] == 3);
}

/* Send `total` numbered packets through mischief; returns how many came out, and their numbers. */
static size_t run_mischief(struct mischief mischief, size_t total, uint32_t *numbers)
{
    struct pool pool;
    size_t came = 0;

    pool_init(&pool, 32);
    for (size_t i = 0; i < total; i++) {
        struct buffer *frame = pool_get(&pool), *out[MISCHIEF_ROOM(1)];
        packet_write(frame->data, (uint32_t)i + 1);
        frame->bytes = PACKET_BYTES;
        size_t count = mischief_apply(&mischief, &pool, &frame, 1, out);
        for (size_t j = 0; j < count; j++) {
            memcpy(&numbers[came++], out[j]->data + PACKET_SEQUENCE, sizeof *numbers);
            pool_put(&pool, out[j]);
        }
    }
    CHECK(pool.free == pool.count - (mischief.held != NULL)); /* no buffer is lost */
    for (size_t i = 0; i < pool.count; i++)
        free(pool.buffers[i].data - BUFFER_HEADROOM);
    free(pool.buffers);
    free(pool.stack);
    return came;
}

static void expect(struct mischief mischief, size_t count, const uint32_t *numbers)
{
    uint32_t got[16];

    CHECK(run_mischief(mischief, 6, got) == count);
    CHECK(memcmp(got, numbers, count * sizeof *numbers) == 0);
}

static void test_mischief(void)
{
    expect((struct mischief){0}, 6, (uint32_t[]){1, 2, 3, 4, 5, 6});
    expect((struct mischief){.drop_every = 3}, 4, (uint32_t[]){1, 2, 4, 5});
    expect((struct mischief){.duplicate_every = 4}, 7, (uint32_t[]){1, 2, 3, 4, 4, 5, 6});
    expect((struct mischief){.reorder_every = 2}, 5, (uint32_t[]){1, 3, 2, 5, 4});
    expect((struct mischief){.stop_after = 2}, 2, (uint32_t[]){1, 2});
    expect((struct mischief){.corrupt_byte = PACKET_SEQUENCE, .corrupt_every = 5}, 6,
           (uint32_t[]){1, 2, 3, 4, 5 ^ 0xff, 6});
    CHECK(mischief_limit(&(struct mischief){.seen = 90, .crash_after = 100}, 64) == 10);
    CHECK(mischief_limit(&(struct mischief){.seen = 100, .crash_after = 100}, 64) == 64);
}

int main(void)
{
    test_virtqueue();
    test_notification();
    test_packet();
    test_mischief();
    puts("selftest: all is well");
    return EXIT_SUCCESS;
}
