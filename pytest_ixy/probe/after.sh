# After the roles have ended and `look.sh` has looked: what the kernel has said since the folder CORES was
# made, and which cores are in it. PATTERN is the core pattern that the node had before.

printf '%s\n' "$PATTERN" >/proc/sys/kernel/core_pattern
said= cores=0
[[ -f $CORES/said ]] && IFS= read -r said <"$CORES/said"
for core in "$CORES"/core.*; do
    [[ -f $core ]] && ((++cores <= 20)) && echo "core $(stat -c %s "$core") $core"
done
((cores)) || rm -rf -- "$CORES"
echo kernel
# what was said last is looked for by its text with its time; where it was pushed out, all is new
all=$(dmesg 2>/dev/null | tail -c 32768)
[[ $said && $all == *"$said"* ]] && all=${all##*"$said"}
printf '%s\n' "$all"
