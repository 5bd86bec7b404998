# What gdb says of a core dump; where there is no gdb, the core packed, to be looked at elsewhere.
#
# PROGRAM, CORE  files on this node
# LARGEST        bytes that a packed core may have

if command -v gdb >/dev/null; then
    echo "ixy: gdb"
    cd /
    timeout 90 gdb -nx -q -batch -iex 'set auto-load no' -iex 'set debuginfod enabled off' \
        -iex 'set width 0' -iex 'set height 0' -iex 'set print frame-arguments scalars' \
        "$PROGRAM" "$CORE" \
        -ex 'echo \n@@ crashed\n' -ex 'backtrace 40' \
        -ex 'echo \n@@ frame\n' -ex 'x/5i $pc' \
        -ex 'echo \n@@ registers\n' -ex 'info registers' -ex 'p $_siginfo' \
        -ex 'echo \n@@ threads\n' -ex 'thread apply all backtrace 20' \
        -ex 'echo \n@@ modules\n' -ex 'info sharedlibrary' -ex 'info proc mappings' </dev/null 2>&1 | head -c 48000
    exit 0
fi
if command -v zstd >/dev/null; then kind=zst; zstd -q -f "$CORE" -o "$CORE.zst"; else kind=gz; gzip -k "$CORE"; fi
size=$(stat -c %s "$CORE.$kind") && [ "$size" -le "$LARGEST" ] && echo "ixy: packed $kind" && exit 0
echo "ixy: too large"
