# Put the node back as it was before the trial; says on a line what could not be.
#
# STRAYS   processes to kill
# FILES    files with huge pages to remove, one on a line
# DRIVERS  PCI addresses and the drivers to have them, as ADDRESS=DRIVER
# CORES    folder to remove

exec 2>/dev/null # what matters is looked at afterwards
for pid in $STRAYS; do kill -KILL "$pid"; done
while IFS= read -r file; do
    [[ ! $file ]] || rm -f -- "$file" || echo "cannot remove $file"
done <<<"$FILES"
for pair in $DRIVERS; do
    nic=${pair%%=*} wanted=${pair#*=}
    device=/sys/bus/pci/devices/$nic
    [[ -e $device/driver ]] && echo "$nic" >"$device/driver/unbind"
    if [[ ! $wanted ]]; then # nobody's device must not write to memory
        printf '\0\0' | dd of="$device/config" bs=1 seek=4 conv=notrunc
        continue
    fi
    [[ -e $device/driver_override ]] && echo >"$device/driver_override"
    echo "$nic" >"/sys/bus/pci/drivers/$wanted/bind"
    [[ -e $device/driver ]] || echo "$wanted does not take $nic"
done
[[ ! $CORES ]] || rm -rf -- "$CORES"
for pid in $STRAYS; do
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" && sleep 0.2; done
    [[ -d /proc/$pid ]] && { read -r line <"/proc/$pid/stat"; [[ ${line##*) } == Z* ]] || echo "process $pid cannot be killed"; }
done
true
