#include "dma.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fail.h"

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

enum { PAGE = 4096, CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

/* The huge page that memory is being cut from, and how much of it is used. */
static struct dma_memory page;
static size_t used = HUGE_PAGE;

/* Entry of /proc/self/pagemap: bits 0-54 are the frame number, bit 63 says "present". */
static uint64_t physical_address(void *virtual)
{
    uint64_t entry = 0;
    const uint64_t frame_mask = (1ULL << 55) - 1, present = 1ULL << 63;
    off_t offset = (off_t)((uintptr_t)virtual / PAGE * sizeof entry);

    int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    bool read_whole = file >= 0 && pread(file, &entry, sizeof entry, offset) == sizeof entry;
    if (file >= 0)
        close(file);
    /* Without CAP_SYS_ADMIN the kernel answers with frame number 0. */
    if (!read_whole || !(entry & present) || !(entry & frame_mask))
        fail("cannot learn physical addresses from /proc/self/pagemap; run as root");
    return (entry & frame_mask) * PAGE;
}

/* A huge page is 2 MiB of contiguous physical memory that is never swapped. It is anonymous, so
 * nothing is left in a file system however the program ends. */
static void next_huge_page(void)
{
    page.virtual = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB | MAP_POPULATE,
                        -1, 0);
    if (page.virtual == MAP_FAILED)
        fail("no free huge page of 2 MiB (%s); run `sudo ./setup-hugepages.sh`", strerror(errno));
    page.physical = physical_address(page.virtual);
    used = 0;
}

struct dma_memory dma_alloc(size_t bytes)
{
    size_t unit = bytes < PAGE ? CACHE_LINE : PAGE;

    if (bytes > HUGE_PAGE)
        fail("cannot allocate %zu contiguous bytes for DMA; a huge page has %d", bytes, HUGE_PAGE);
    used = (used + unit - 1) / unit * unit;
    if (used + bytes > HUGE_PAGE)
        next_huge_page();
    struct dma_memory piece = {
        .virtual = (char *)page.virtual + used,
        .physical = page.physical + used,
    };
    used += bytes;
    return piece;
}
