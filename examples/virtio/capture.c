#include "capture.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

struct file_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy; /* both unused */
    uint32_t snap_bytes, link_type;
};

struct record_header {
    uint32_t seconds, microseconds;
    uint32_t captured_bytes, original_bytes;
};

enum { LINK_ETHERNET = 1 };

static void write_or_fail(struct capture *capture, const void *from, size_t bytes)
{
    if (fwrite(from, bytes, 1, capture->file) != 1)
        fail("cannot write %s: %s", capture->path, strerror(errno));
}

void capture_flush(struct capture *capture)
{
    if (fflush(capture->file) != 0)
        fail("cannot write %s: %s", capture->path, strerror(errno));
}

void capture_open(struct capture *capture, const char *path)
{
    const struct file_header header = {
        .magic = 0xa1b2c3d4,
        .major = 2,
        .minor = 4,
        .snap_bytes = 65535,
        .link_type = LINK_ETHERNET,
    };

    *capture = (struct capture){.path = path, .file = fopen(path, "wbe")};
    if (!capture->file)
        fail("cannot create %s: %s", path, strerror(errno));
    setvbuf(capture->file, NULL, _IOFBF, 1 << 16);
    write_or_fail(capture, &header, sizeof header);
    capture_flush(capture);
}

void capture_write(struct capture *capture, const struct timespec *time, const void *frame,
                   uint32_t bytes)
{
    const struct record_header header = {
        .seconds = (uint32_t)time->tv_sec,
        .microseconds = (uint32_t)(time->tv_nsec / 1000),
        .captured_bytes = bytes,
        .original_bytes = bytes,
    };

    write_or_fail(capture, &header, sizeof header);
    write_or_fail(capture, frame, bytes);
    capture->last_bytes = bytes;
}

void capture_close(struct capture *capture, int cut)
{
    capture_flush(capture);
    off_t end = ftello(capture->file) - capture->last_bytes / 2;
    if (cut && ftruncate(fileno(capture->file), end) != 0)
        fail("cannot cut %s: %s", capture->path, strerror(errno));
    if (fclose(capture->file) != 0)
        fail("cannot write %s: %s", capture->path, strerror(errno));
}
