/* Errors a user can cause end the program: one line on stderr, exit status 1. */
#ifndef FAIL_H
#define FAIL_H

/* Print "PROGRAM: error: MESSAGE" and exit(1); exit handlers give the devices back. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

#endif
