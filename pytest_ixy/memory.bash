# Prints once a second what the processes of session SESSION have in memory: "rss KIB huge KIB", and with
# CAPTURE the file's size: "size BYTES". What was written to CAPTURE is forgotten but for its beginning and end
# (KEEP bytes each), so that a long trial does not fill the disk.

# The session's processes, without the shell that leads it. A fork would cost more than all of this.
scan() {
    local file line
    local -a fields
    pids=()
    for file in /proc/[0-9]*/stat; do
        line=
        IFS= read -r line <"$file" || continue
        fields=(${line##*) })
        [[ ${fields[3]} == "$SESSION" && ${line%% *} != "$SESSION" ]] && pids+=("${line%% *}")
    done
}

sum() {
    local text pid
    rss=0 huge=0
    for pid in "${pids[@]}"; do
        # at once: line by line bash seeks, the kernel writes the text anew, and lines are cut
        IFS= read -r -d '' text <"/proc/$pid/status"
        [[ $text =~ VmRSS:[[:space:]]*([0-9]+) ]] && ((rss += BASH_REMATCH[1]))
        [[ $text =~ HugetlbPages:[[:space:]]*([0-9]+) ]] && ((huge += BASH_REMATCH[1]))
        text=
    done
}

forget() {
    local size
    size=$(stat -c %s "$CAPTURE") || return 0
    echo "size $size"
    ((size > 4 * KEEP)) || return 0
    fallocate --punch-hole --offset "$KEEP" --length $((size - 2 * KEEP)) "$CAPTURE"
}

exec 2>/dev/null
trap exit INT TERM
turn=0
while :; do
    ((turn++ % 10)) && ((${#pids[@]})) || scan
    sum
    echo "rss $rss huge $huge"
    [[ $CAPTURE ]] && forget
    sleep 1
done
