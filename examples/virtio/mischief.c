#include "mischief.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

static bool is_nth(uint64_t seen, uint64_t every)
{
    return every && seen % every == 0;
}

static bool has_come(const struct mischief *mischief, uint64_t after)
{
    return after && mischief->seen >= after;
}

static size_t until(const struct mischief *mischief, uint64_t after, size_t count)
{
    if (after > mischief->seen && after - mischief->seen < count)
        return after - mischief->seen;
    return count;
}

size_t mischief_limit(const struct mischief *mischief, size_t count)
{
    count = until(mischief, mischief->crash_after, count);
    count = until(mischief, mischief->hang_after, count);
    return until(mischief, mischief->exit_after, count);
}

static void resize(struct buffer *frame, uint32_t bytes)
{
    if (bytes > frame->bytes)
        memset(frame->data + frame->bytes, 0, bytes - frame->bytes);
    frame->bytes = bytes;
}

static void change(const struct mischief *mischief, struct buffer *frame)
{
    if (is_nth(mischief->seen, mischief->resize_every))
        resize(frame, mischief->resize_bytes);
    if (is_nth(mischief->seen, mischief->corrupt_every) && mischief->corrupt_byte < frame->bytes)
        frame->data[mischief->corrupt_byte] ^= 0xff;
}

static size_t emit(struct mischief *mischief, struct buffer *frame, struct buffer **out)
{
    size_t count = 0;

    if (!mischief->held && is_nth(mischief->seen, mischief->reorder_every)) {
        mischief->held = frame;
        return 0;
    }
    out[count++] = frame;
    if (mischief->held)
        out[count++] = mischief->held;
    mischief->held = NULL;
    return count;
}

static size_t duplicate(struct pool *pool, const struct buffer *frame, struct buffer **out)
{
    struct buffer *copy = pool_get(pool);

    if (!copy)
        return 0;
    memcpy(copy->data, frame->data, frame->bytes);
    copy->bytes = frame->bytes;
    *out = copy;
    return 1;
}

size_t mischief_apply(struct mischief *mischief, struct pool *pool, struct buffer **frames,
                      size_t count, struct buffer **out)
{
    size_t emitted = 0;

    for (size_t i = 0; i < count; i++) {
        bool stopped = has_come(mischief, mischief->stop_after);
        mischief->seen++;
        if (stopped || is_nth(mischief->seen, mischief->drop_every)) {
            pool_put(pool, frames[i]);
            continue;
        }
        change(mischief, frames[i]);
        if (is_nth(mischief->seen, mischief->duplicate_every))
            emitted += duplicate(pool, frames[i], out + emitted);
        emitted += emit(mischief, frames[i], out + emitted);
    }
    return emitted;
}

void mischief_count(struct mischief *mischief, size_t count)
{
    mischief->seen += count;
}

/* Through a volatile pointer, or the compiler would turn this into an illegal instruction. */
static void crash(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

static void hang(void)
{
    while (app_running)
        usleep(10000);
}

void mischief_strike(const struct mischief *mischief)
{
    if (has_come(mischief, mischief->crash_after))
        crash();
    if (has_come(mischief, mischief->hang_after))
        hang();
    if (has_come(mischief, mischief->exit_after))
        app_stop(mischief->exit_status);
}
