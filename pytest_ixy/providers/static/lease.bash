# The lease on this node: one run at a time has it. Run as root, or as the user whose folder it is, all of it under a
# lock, so that nobody sees half of it. Times are seconds since boot by this node's own clock; after a boot /run is
# empty, and nothing of a run is left.
#
# FOLDER   where the lease lies
# ACTION   take, free, or look, which changes nothing
# TOKEN    of whoever asks
# OWNER    user@machine
# NODE     what whoever asks calls this node; a host with two has the name of the first that had the lease
# RUN      the run's id
# PURPOSE  what the run is for, in words
# EXPIRY   seconds without a heartbeat after which the owner counts as dead
# PLACE    the run's folder on this node, removed when the lease ends
# NICS     PCI or MAC addresses of the test NICs
# BARE     not empty when the state of the host is nobody's business: it is neither recorded nor put back
# PEER     address that the host knows whoever asks by
#
# Answers are lines: "held SINCE OWNER RUN PURPOSE", or "dead AGE OWNER RUN PURPOSE" when it was taken over, "next WAITED
# OWNER RUN PURPOSE" when it is another's turn, "untidy WORDS" for what could not be put back, "nic GIVEN PCI MAC",
# "way NIC INTERFACE" for a NIC that the host is reached through, and at last "taken MACHINE", "freed", "other" or
# "looked". Who looks is also told "lacks PROGRAM" and "pages NUMBER SIZE".

MOMENT=15 # seconds that somebody who waits may be silent

shopt -s nullglob
LC_ALL=C
umask 022

enter() { # the folder, alone
    mkdir -p -- "$FOLDER" && cd -- "$FOLDER" || exit 1
    [[ -O . ]] || { echo "$FOLDER belongs to somebody else"; exit 1; }
    command -v flock >/dev/null || { echo "this host has no flock (util-linux)"; exit 1; }
    exec 9>lock
    flock -w 60 9 || { echo "another program keeps the lock of $FOLDER"; exit 1; }
}

clock() { read -r now _ </proc/uptime; now=${now%.*}; }

load() { # what stands in the lease, a line each; "-" before the token of one whose end has begun
    token= over=
    [[ -f lease ]] || return 1
    {
        read -r token; read -r owner; read -r run; read -r since; read -r expiry; read -r machine; read -r purpose
    } <lease
    [[ $token == -* ]] && over=1 token=${token#-}
    [[ $token ]]
}

save() { # MARK TOKEN, and the rest as it was loaded
    printf '%s\n' "$1$2" "$owner" "$run" "$since" "$expiry" "$machine" "$purpose" >lease.new && mv lease.new lease
}

wait_in_line() { # until the lease is had; "FIRST-SEEN LAST-SEEN OWNER RUN PURPOSE"
    local first=
    { read -r first _ <"waits-$TOKEN"; } 2>/dev/null
    echo "${first:-$now} $now $OWNER $RUN $PURPOSE" >"waits-$TOKEN"
}

turn_of_another() { # who has waited for longer and looked a moment ago goes first
    local file first last who mine=$now
    { read -r mine _ <"waits-$TOKEN"; } 2>/dev/null
    for file in waits-*; do
        [[ $file == "waits-$TOKEN" ]] && continue
        read -r first last who <"$file"
        ((now - last > MOMENT)) && { rm -f -- "$file"; continue; }
        ((first < mine)) && { echo "next $((now - first)) $who"; return; }
    done
    return 1
}

age() { # seconds since the owner's last heartbeat
    local beat=
    { read -r beat <"beat-$token"; } 2>/dev/null
    echo $((now - ${beat:-$since}))
}

restore() { # the state that was recorded
    local word one two three four path
    while read -r word one two three; do [[ $word == driver ]] && put_driver "$one" "$two" "$three"; done <before
    put_names
    while read -r word one two three four; do
        case $word in
            sysctl) printf '%s\n' "$two${three:+ $three}${four:+ $four}" >"/proc/sys/$one" ;;
            tuning) put_tuning "$one" "$two" "$three" "$four" ;;
            ring) put_ring "$one" "$two" ;;
            link) put_link "$one" "$two" "$three" "$four" ;;
            address) put_address "$one" "$two" ;;
        esac
    done <before
    huge_files | while IFS= read -r path; do grep -qxF "file $path" before || rm -f -- "$path"; done
    hugetlbfs | while IFS= read -r path; do grep -qxF "mount $path" before || umount "$path"; done
    while read -r word one two; do
        [[ $word == pages ]] || continue
        read -r three <"$two/nr_hugepages"
        [[ $three == "$one" ]] || echo "$one" >"$two/nr_hugepages"
        read -r three <"$two/nr_hugepages"
        [[ $three == "$one" ]] || echo "untidy ${two##*/}: $three pages, there were $one"
    done <before
}

put_back() {
    local path
    save - "$token" || return # its owner starts nothing more, and who comes next goes on here if this is cut off
    end_processes
    grep -qx bare before || restore
    while IFS= read -r path; do
        [[ $path == /*/.cache/pytest-ixy/?*/?* ]] && rm -rf -- "$path" && path=${path%/*} && rmdir "$path" "${path%/*}"
    done <places
    [[ $run ]] && rm -rf -- "/tmp/ixy-$run-"* "/var/tmp/ixy-cores-$run-"*
    rm -f -- lease before places beat-*
    [[ ! -e lease ]]
} 2>/dev/null

look_for() { # the NICs; then COMMAND ADDRESS for each that is there
    local nic found
    for nic in $NICS; do
        found=$(address "$nic")
        echo "nic $nic $found"
        [[ $found ]] || continue
        ways "$nic" "${found%% *}"
        "$@" "${found%% *}"
    done
}

tell() {
    look_for record_nic
    printf '%s\n' "$PLACE" >>places
    echo "taken $machine"
}

take() {
    clock
    if load; then
        [[ ! $over && $token == "$TOKEN" ]] && { tell; return; }
        [[ ! $over ]] && (($(age) < expiry)) && {
            wait_in_line
            echo "held $((now - since)) $owner $run $purpose"
            return
        }
        echo "dead $(age) $owner $run $purpose"
        save - "$token" && sleep 0.5 # for what has passed the guard already, to be seen as the dead owner's
        put_back || { echo "the lease of ${owner} (run $run) cannot be ended"; exit 1; }
        clock
    fi
    turn_of_another && return
    if [[ $BARE ]]; then echo bare; else record; fi >before
    : >places
    machine=$NODE # nothing random: machines that are restored from one state make up the same
    echo "$now" >"beat-$TOKEN"
    owner=$OWNER run=$RUN purpose=$PURPOSE since=$now expiry=$EXPIRY
    save "" "$TOKEN" || exit 1
    rm -f -- "waits-$TOKEN"
    tell
}

free() {
    rm -f -- "waits-$TOKEN"
    if load && [[ $token == "$TOKEN" ]]; then put_back && echo freed; else echo other; fi
}

look() {
    local program folder total
    for program in $PROGRAMS; do command -v "$program" >/dev/null || echo "lacks $program"; done
    look_for true
    for folder in /sys/kernel/mm/hugepages/hugepages-*; do
        read -r total <"$folder/nr_hugepages" && echo "pages $total ${folder##*-}"
    done
    clock
    cd -- "$FOLDER" 2>/dev/null && load && (($(age) < expiry)) && echo "held $((now - since)) $owner $run $purpose"
    echo looked
}

[[ $ACTION == look ]] || enter
"$ACTION"
