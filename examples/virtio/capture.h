/* A capture file: classic pcap, version 2.4, Ethernet, microseconds. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct capture {
    const char *path;
    FILE *file;
    uint32_t last_bytes; /* of the last frame written */
};

/* Create or overwrite the file and write its header. */
void capture_open(struct capture *capture, const char *path);

void capture_write(struct capture *capture, const struct timespec *time, const void *frame,
                   uint32_t bytes);

/* Write out what is still in memory. */
void capture_flush(struct capture *capture);

/* Close the file; `cut` takes away half of its last frame. */
void capture_close(struct capture *capture, int cut);

#endif
