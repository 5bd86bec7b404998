#include "pool.h"

#include <stdlib.h>

#include "dma.h"
#include "fail.h"

void pool_init(struct pool *pool, size_t count)
{
    pool->count = count;
    pool->free = 0;
    pool->buffers = calloc(count, sizeof *pool->buffers);
    pool->stack = calloc(count, sizeof *pool->stack);
    if (!pool->buffers || !pool->stack)
        fail("out of memory for %zu packet buffers", count);
    for (size_t i = 0; i < count; i++) {
        struct dma_memory memory = dma_alloc(BUFFER_BYTES);
        pool->buffers[i].data = (uint8_t *)memory.virtual + BUFFER_HEADROOM;
        pool->buffers[i].physical = memory.physical + BUFFER_HEADROOM;
        pool_put(pool, &pool->buffers[i]);
    }
}

/* Last in, first out: a buffer used a moment ago is still in the processor's cache. */
struct buffer *pool_get(struct pool *pool)
{
    return pool->free ? pool->stack[--pool->free] : NULL;
}

void pool_put(struct pool *pool, struct buffer *buffer)
{
    pool->stack[pool->free++] = buffer;
}
