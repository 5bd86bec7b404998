/* Misbehaviour on purpose, so that a test can show that it is noticed. Nothing in here is part of
 * the driver; a program without switches passes through it unchanged. */
#ifndef MISCHIEF_H
#define MISCHIEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"

struct mischief {
    /* Every nth frame is ...; 0 for never. */
    uint64_t drop_every, duplicate_every, reorder_every, corrupt_every, resize_every;
    uint64_t corrupt_byte, resize_bytes;
    /* After n frames ...; 0 for never. */
    uint64_t stop_after, crash_after, hang_after, exit_after;
    int exit_status;
    bool ignore_signals; /* SIGINT and SIGTERM */
    bool truncate;       /* pcap leaves its last record cut */

    uint64_t seen;       /* frames so far */
    struct buffer *held; /* the frame that its successor overtakes */
};

/* At most this many frames come out when `n` go in: duplicates, and one that was held. */
#define MISCHIEF_ROOM(n) (2 * (n) + 1)

/* How many of `count` frames can be handled before something happens. */
size_t mischief_limit(const struct mischief *mischief, size_t count);

/* Drop, change, double and reorder frames; returns how many are in `out`. Frames that are dropped
 * go to the pool, where copies come from. */
size_t mischief_apply(struct mischief *mischief, struct pool *pool, struct buffer **frames,
                      size_t count, struct buffer **out);

/* Count frames that are not to be changed. */
void mischief_count(struct mischief *mischief, size_t count);

/* Crash, hang (until a signal comes) or end the program, if it is time for that. */
void mischief_strike(const struct mischief *mischief);

#endif
