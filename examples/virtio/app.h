/* What the three programs share: signals, rate statistics, waiting for room. */
#ifndef APP_H
#define APP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "net.h"

enum { APP_BATCH = 64 };

/* False once SIGINT, SIGTERM or app_stop() said to end. */
extern volatile sig_atomic_t app_running;

/* Output line by line, signals caught (or SIGINT and SIGTERM ignored, for mischief). */
void app_init(bool ignore_signals);

/* End the main loop; `app_status` is then the exit status. */
void app_stop(int status);
extern int app_status;

/* Call when a poll found nothing to do. Sleeps for less time than a ring takes to fill: machines
 * of a lab share a few processor cores, and one that spins keeps the others from working. */
void app_idle(void);

/* Seconds of a clock that only runs forward. */
double app_now(void);

/* Send all frames, waiting for room in the ring. Frames that a signal left unsent go back to the
 * pool. Returns how many were sent. */
size_t app_send(struct net *net, struct buffer **frames, size_t count);

/* Prints a rate about once a second. */
struct meter {
    const char *verb; /* "sent" */
    uint64_t total, last_total;
    double last_time;
    unsigned calls;
};

void meter_add(struct meter *meter, size_t packets);

/* Print the total. */
void meter_finish(const struct meter *meter);

#endif
