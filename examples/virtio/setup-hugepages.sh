#!/bin/sh
# Make sure that there are at least 32 huge pages of 2 MiB (a program needs 2 to 5).
# Never takes pages away that somebody else asked for.
set -eu

wanted=32
pages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages

[ -w "$pages" ] || { echo "$0: cannot write $pages; run as root" >&2; exit 1; }
[ "$(cat "$pages")" -ge "$wanted" ] || echo "$wanted" >"$pages"
got=$(cat "$pages")
[ "$got" -ge "$wanted" ] || {
    echo "$0: only $got of $wanted huge pages: memory is too full or fragmented;" \
        "add hugepages=$wanted to the kernel command line" >&2
    exit 1
}
echo "$got huge pages of 2 MiB"
