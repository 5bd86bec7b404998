#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t app_running = true;
int app_status;

static void on_signal(int number)
{
    (void)number;
    app_running = false;
}

/* SIGHUP and SIGPIPE mean that nobody reads our output any more: end in order then, too. */
void app_init(bool ignore_signals)
{
    struct sigaction ending = {.sa_handler = on_signal};
    struct sigaction asking = {.sa_handler = ignore_signals ? SIG_IGN : on_signal};

    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGINT, &asking, NULL);
    sigaction(SIGTERM, &asking, NULL);
    sigaction(SIGHUP, &ending, NULL);
    sigaction(SIGPIPE, &ending, NULL);
}

void app_stop(int status)
{
    app_status = status;
    app_running = false;
}

void app_idle(void)
{
    usleep(20);
}

size_t app_send(struct net *net, struct buffer **frames, size_t count)
{
    size_t sent = net_send(net, frames, count);

    while (sent < count && app_running) {
        app_idle();
        sent += net_send(net, frames + sent, count - sent);
    }
    for (size_t i = sent; i < count; i++)
        pool_put(net->pool, frames[i]);
    return sent;
}

double app_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void meter_add(struct meter *meter, size_t packets)
{
    const unsigned calls_between_looks = 256; /* reading the clock can be slow in a VM */

    meter->total += packets;
    if (meter->calls++ % calls_between_looks != 0)
        return;
    double time = app_now(), seconds = time - meter->last_time;
    if (meter->last_time == 0)
        meter->last_time = time;
    else if (seconds >= 1) {
        printf("%s %" PRIu64 " packets, %.0f packets/s\n", meter->verb, meter->total,
               (double)(meter->total - meter->last_total) / seconds);
        meter->last_time = time;
        meter->last_total = meter->total;
    }
}

void meter_finish(const struct meter *meter)
{
    printf("%s %" PRIu64 " packets in total\n", meter->verb, meter->total);
}
