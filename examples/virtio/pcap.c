/* pcap PCI FILE [N]: write the first N frames that come to a file, or all until a signal. */
#include <stdio.h>

#include "app.h"
#include "capture.h"
#include "options.h"

static const struct program program = {
    .role = PCAP,
    .purpose = "Capture N frames from a virtio-net device, or all until SIGINT.",
    .arguments = "PCI FILE [N]",
    .least = 2,
    .most = 3,
};

/* All frames of a batch get the same time: when they came exactly, nobody noted. */
static void write_batch(struct capture *capture, struct pool *pool, struct buffer **frames,
                        size_t count)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    for (size_t i = 0; i < count; i++) {
        capture_write(capture, &time, frames[i]->data, frames[i]->bytes);
        pool_put(pool, frames[i]);
    }
}

static void record(struct net *net, struct capture *capture, uint64_t wanted,
                   struct mischief *mischief)
{
    struct buffer *frames[APP_BATCH];
    struct meter meter = {.verb = "captured"};

    while (app_running && meter.total < wanted) {
        uint64_t left = wanted - meter.total;
        size_t most = mischief_limit(mischief, left < APP_BATCH ? left : APP_BATCH);
        size_t count = net_receive(net, frames, most);
        if (count)
            write_batch(capture, net->pool, frames, count);
        else
            app_idle();
        meter_add(&meter, count);
        mischief_count(mischief, count);
        mischief_strike(mischief);
    }
    meter_finish(&meter);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct capture capture;
    struct pool pool;
    struct net net;
    char **arguments = options_parse(argc, argv, &program, &options);
    uint64_t wanted = UINT64_MAX;

    if (arguments[2])
        wanted = options_number(arguments[2], 1, UINT64_MAX, "N");
    app_init(options.mischief.ignore_signals);
    net_open(&net, arguments[0]);
    capture_open(&capture, arguments[1]);
    pool_init(&pool, NET_BUFFERS + MISCHIEF_ROOM(APP_BATCH));
    net_start(&net, &pool);
    printf("ready: listening on %s (%s virtio)\n", net.virtio.pci.address,
           net.virtio.transport->name);
    record(&net, &capture, wanted, &options.mischief);
    capture_close(&capture, options.mischief.truncate);
    net_close(&net);
    return app_status;
}
