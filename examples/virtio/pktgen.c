/* pktgen PCI: send numbered packets as fast as the device takes them, until a signal comes. */
#include <stdio.h>

#include "app.h"
#include "options.h"
#include "packet.h"

static const struct program program = {
    .role = PKTGEN,
    .purpose = "Send numbered packets on a virtio-net device until SIGINT.",
    .arguments = "PCI",
    .least = 1,
    .most = 1,
};

static size_t make_batch(struct pool *pool, struct buffer **frames, size_t count,
                         uint32_t *sequence)
{
    size_t made = 0;

    for (; made < count && (frames[made] = pool_get(pool)); made++) {
        packet_write(frames[made]->data, (*sequence)++);
        frames[made]->bytes = PACKET_BYTES;
    }
    return made;
}

/* Keeps to a rate (0: none): permits to send grow with time, and stop growing at a few batches,
 * so that a pause is not followed by a burst that no ring could take. */
struct pacer {
    double rate, permits, last_time;
};

static size_t pacer_batch(struct pacer *pacer)
{
    const double most = 4 * APP_BATCH;

    if (pacer->rate == 0)
        return APP_BATCH;
    double time = app_now();
    pacer->permits += (time - pacer->last_time) * pacer->rate;
    pacer->last_time = time;
    if (pacer->permits > most)
        pacer->permits = most;
    size_t batch = pacer->permits < APP_BATCH ? (size_t)pacer->permits : APP_BATCH;
    pacer->permits -= (double)batch;
    return batch;
}

static void generate(struct net *net, struct pool *pool, const struct options *options)
{
    struct buffer *frames[APP_BATCH], *out[MISCHIEF_ROOM(APP_BATCH)];
    struct meter meter = {.verb = "sent"};
    struct mischief mischief = options->mischief;
    struct pacer pacer = {.rate = (double)options->rate, .last_time = app_now()};
    uint32_t sequence = 0;

    while (app_running) {
        size_t batch = mischief_limit(&mischief, pacer_batch(&pacer));
        size_t made = make_batch(pool, frames, batch, &sequence);
        size_t count = mischief_apply(&mischief, pool, frames, made, out);
        size_t sent = app_send(net, out, count);
        meter_add(&meter, sent);
        mischief_strike(&mischief);
        if (sent == 0)
            app_idle();
    }
    meter_finish(&meter);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct pool pool;
    struct net net;
    char **arguments = options_parse(argc, argv, &program, &options);

    app_init(options.mischief.ignore_signals);
    net_open(&net, arguments[0]);
    pool_init(&pool, NET_BUFFERS + MISCHIEF_ROOM(APP_BATCH));
    net_start(&net, &pool);
    printf("ready: sending on %s (%s virtio)\n", net.virtio.pci.address,
           net.virtio.transport->name);
    generate(&net, &pool, &options);
    net_close(&net);
    return app_status;
}
