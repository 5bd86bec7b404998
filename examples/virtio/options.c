#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

enum { ETHERNET_HEADER = 14, FRAME_LIMIT = 1514, STATUS_LIMIT = 255 };

enum option_id { HELP, RATE, DROP, DUPLICATE, REORDER, CORRUPT, RESIZE, STOP, CRASH, HANG, EXIT,
                 IGNORE, TRUNCATE, FIRST_MISCHIEF = DROP };

static const struct {
    enum option_id id;
    unsigned roles;
    const char *name, *argument, *meaning;
} table[] = {
    {HELP, PKTGEN | FWD | PCAP, "help", NULL, "show this"},
    {RATE, PKTGEN, "rate", "N", "send at most N packets per second"},
    {DROP, PKTGEN | FWD, "drop-every", "N", "lose every Nth packet"},
    {DUPLICATE, PKTGEN | FWD, "duplicate-every", "N", "send every Nth packet twice"},
    {REORDER, PKTGEN | FWD, "reorder-every", "N", "send every Nth packet after its successor"},
    {CORRUPT, PKTGEN | FWD, "corrupt-byte", "K[:N]", "invert byte K of every (Nth) packet"},
    {RESIZE, PKTGEN | FWD, "resize", "BYTES[:N]", "cut or pad every (Nth) packet to BYTES"},
    {STOP, PKTGEN | FWD, "stop-after", "N", "go on polling, but send no more after N packets"},
    {CRASH, PKTGEN | FWD | PCAP, "crash-after", "N", "die of SIGSEGV after N packets"},
    {HANG, PKTGEN | FWD | PCAP, "hang-after", "N", "do nothing after N packets until a signal"},
    {EXIT, PKTGEN | FWD | PCAP, "exit-after", "N[:STATUS]", "end after N packets (status 1)"},
    {IGNORE, PKTGEN | FWD | PCAP, "ignore-signals", NULL, "do not end on SIGINT or SIGTERM"},
    {TRUNCATE, PCAP, "truncate", NULL, "leave the last record of the capture cut"},
};
enum { OPTIONS = sizeof table / sizeof table[0] };

uint64_t options_number(const char *text, uint64_t least, uint64_t most, const char *name)
{
    char *end;

    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno || number < least || number > most)
        fail("%s is '%s'; expected a whole number from %llu to %llu", name, text,
             (unsigned long long)least, (unsigned long long)most);
    return number;
}

/* Split "FIRST[:SECOND]" at the colon, and return what follows it, "1" if there is none. */
static const char *split(char *text)
{
    char *colon = strchr(text, ':');

    if (!colon)
        return "1";
    *colon = '\0';
    return colon + 1;
}

static void apply(struct options *options, enum option_id id, char *text, const char *name)
{
    struct mischief *mischief = &options->mischief;
    const char *second;

    switch (id) {
    case HELP: break; /* done by options_parse() */
    case RATE: options->rate = options_number(text, 1, UINT32_MAX, name); break;
    case DROP: mischief->drop_every = options_number(text, 1, UINT64_MAX, name); break;
    case DUPLICATE: mischief->duplicate_every = options_number(text, 1, UINT64_MAX, name); break;
    case REORDER: mischief->reorder_every = options_number(text, 1, UINT64_MAX, name); break;
    case CORRUPT:
        second = split(text);
        mischief->corrupt_byte = options_number(text, 0, FRAME_LIMIT - 1, name);
        mischief->corrupt_every = options_number(second, 1, UINT64_MAX, name);
        break;
    case RESIZE:
        second = split(text);
        mischief->resize_bytes = options_number(text, ETHERNET_HEADER, FRAME_LIMIT, name);
        mischief->resize_every = options_number(second, 1, UINT64_MAX, name);
        break;
    case STOP: mischief->stop_after = options_number(text, 1, UINT64_MAX, name); break;
    case CRASH: mischief->crash_after = options_number(text, 1, UINT64_MAX, name); break;
    case HANG: mischief->hang_after = options_number(text, 1, UINT64_MAX, name); break;
    case EXIT:
        second = split(text);
        mischief->exit_after = options_number(text, 1, UINT64_MAX, name);
        mischief->exit_status = (int)options_number(second, 0, STATUS_LIMIT, name);
        break;
    case IGNORE: mischief->ignore_signals = true; break;
    case TRUNCATE: mischief->truncate = true; break;
    }
}

static void help(const struct program *program)
{
    printf("usage: %s %s [SWITCHES]\n%s\n\n", program_invocation_short_name, program->arguments,
           program->purpose);
    for (int i = 0; i < OPTIONS; i++) {
        char left[40];
        if (table[i].id == FIRST_MISCHIEF)
            puts("\nTo misbehave on purpose, for tests:");
        if (!(table[i].roles & program->role))
            continue;
        snprintf(left, sizeof left, "--%s %s", table[i].name,
                 table[i].argument ? table[i].argument : "");
        printf("  %-26s %s\n", left, table[i].meaning);
    }
    exit(EXIT_SUCCESS);
}

/* The switches of this program, for getopt; `val` is the place in the table, plus one. */
static void make_long_options(const struct program *program, struct option *options)
{
    for (int i = 0; i < OPTIONS; i++) {
        if (!(table[i].roles & program->role))
            continue;
        *options++ = (struct option){
            .name = table[i].name,
            .has_arg = table[i].argument ? required_argument : no_argument,
            .val = i + 1,
        };
    }
}

char **options_parse(int argc, char **argv, const struct program *program,
                     struct options *options)
{
    struct option known[OPTIONS + 1] = {0};
    int value;

    make_long_options(program, known);
    opterr = 0; /* we have a message of our own */
    while ((value = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (value == '?')
            fail("wrong switch or missing value: %s; try --help", argv[optind - 1]);
        if (table[value - 1].id == HELP)
            help(program);
        apply(options, table[value - 1].id, optarg, table[value - 1].name);
    }
    if (argc - optind < program->least || argc - optind > program->most)
        fail("usage: %s %s [SWITCHES]; try --help", program_invocation_short_name,
             program->arguments);
    return argv + optind;
}
