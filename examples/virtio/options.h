/* The command line: positional arguments, and switches for misbehaviour. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "mischief.h"

struct options {
    uint64_t rate; /* packets per second, 0 for as fast as possible */
    struct mischief mischief;
};

enum role { PKTGEN = 1, FWD = 2, PCAP = 4 };

struct program {
    enum role role;
    const char *purpose;
    const char *arguments; /* for the usage line */
    int least, most;       /* positional arguments */
};

/* Read the switches and return the positional arguments, ended by NULL. Answers --help itself. */
char **options_parse(int argc, char **argv, const struct program *program,
                     struct options *options);

/* Read a whole number of at least `least`; `name` is for the error message. */
uint64_t options_number(const char *text, uint64_t least, uint64_t most, const char *name);

#endif
