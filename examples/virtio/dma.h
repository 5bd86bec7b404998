/* Memory that a device can reach: it knows physical addresses only. */
#ifndef DMA_H
#define DMA_H

#include <stddef.h>
#include <stdint.h>

struct dma_memory {
    void *virtual;     /* where we see it */
    uint64_t physical; /* where the device sees it */
};

/* `bytes` (2 MiB at most) of zeroed, physically contiguous memory on a page boundary or, for
 * pieces below a page, on a multiple of 64. It lives until the program ends. */
struct dma_memory dma_alloc(size_t bytes);

#endif
