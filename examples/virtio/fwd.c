/* fwd PCI_SOURCE PCI_DESTINATION: forward every frame between two devices, both ways. */
#include <stdio.h>

#include "app.h"
#include "options.h"
#include "packet.h"

static const struct program program = {
    .role = FWD,
    .purpose = "Forward frames between two virtio-net devices, both ways, until SIGINT.\n"
               "Misbehaves on the way from source to destination only.",
    .arguments = "PCI_SOURCE PCI_DESTINATION",
    .least = 2,
    .most = 2,
};

/* One batch in one direction. When the ring is full this waits: what comes meanwhile finds room
 * in the other ring and in the network behind it. */
static size_t forward(struct net *from, struct net *to, struct mischief *mischief)
{
    struct buffer *frames[APP_BATCH], *out[MISCHIEF_ROOM(APP_BATCH)];
    size_t count = net_receive(from, frames, mischief_limit(mischief, APP_BATCH));

    for (size_t i = 0; i < count; i++)
        packet_touch(frames[i]->data);
    count = mischief_apply(mischief, to->pool, frames, count, out);
    return count ? app_send(to, out, count) : 0;
}

static void forward_both_ways(struct net *source, struct net *destination,
                              struct mischief *mischief)
{
    struct mischief none = {0};
    struct meter meter = {.verb = "forwarded"};

    while (app_running) {
        size_t count = forward(source, destination, mischief);
        mischief_strike(mischief);
        count += forward(destination, source, &none);
        meter_add(&meter, count);
        if (count == 0)
            app_idle();
    }
    meter_finish(&meter);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct pool pool;
    struct net source, destination;
    char **arguments = options_parse(argc, argv, &program, &options);

    app_init(options.mischief.ignore_signals);
    net_open(&source, arguments[0]);
    net_open(&destination, arguments[1]);
    pool_init(&pool, 2 * NET_BUFFERS + MISCHIEF_ROOM(APP_BATCH));
    net_start(&destination, &pool);
    net_start(&source, &pool);
    printf("ready: forwarding between %s and %s (%s virtio)\n", source.virtio.pci.address,
           destination.virtio.pci.address, source.virtio.transport->name);
    forward_both_ways(&source, &destination, &options.mischief);
    net_close(&source);
    net_close(&destination);
    return app_status;
}
