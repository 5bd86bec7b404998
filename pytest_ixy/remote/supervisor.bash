# Runs one command in this session and ends the session when told to.
#
# stdin   FOLDER NUL COMMAND NUL (NAME=VALUE NUL)* NUL, then lines:
#           stop INT TERM KILL   end everything; how long each signal may take, in 1/100 s. INT and
#                                TERM are not sent where that is 0
#           release              nothing more to do; what still runs is left alone
#         End of file means that the controller is gone: everything is stopped.
# stdout  output of the command (its stderr too)
# stderr  lines "ixy: WORD ...": refused, session, core, exit, straggler, left, stopped
#
# This shell leads the session and stays until it is let go, so the session's number cannot be
# given to somebody else's processes while they might still be signalled.

exec 3>&2 4<&0 2>/dev/null </dev/null
trap : INT TERM HUP QUIT PIPE

say() { printf 'ixy: %s\n' "$*" >&3; }

read_order() {
    local item
    variables=()
    IFS= read -r -d '' folder <&4 && IFS= read -r -d '' command <&4 || exit 1
    while IFS= read -r -d '' item <&4 && [[ $item ]]; do variables+=("$item"); done
}

enter_folder() {
    local why
    [[ $folder ]] || return 0
    [[ $folder == /* ]] || folder=./$folder
    why=$(cd -- "$folder" 2>&1) || { say "refused ${why##*: }"; exit 1; }
    cd -- "$folder" || exit 1
}

# What /proc says of every process that is in the session, descends from it, or is in a session
# that a descendant opened: pids, names; main=1 while the command itself runs. Neither this
# shell, the watcher nor its helpers count.
scan() {
    local file line pid grown=1
    local -a fields parent=() session=() inside=()
    local -A called=()
    pids=() names=() main=0
    for file in /proc/[0-9]*/stat; do
        line=
        IFS= read -r -d '' line <"$file"
        [[ $line ]] || continue
        pid=${line%% *}
        fields=(${line##*) })
        [[ ${fields[0]} == [ZX] || $pid == "$$" || $pid == "$watcher" ]] && continue
        [[ ${fields[1]} == "$watcher" ]] && continue
        parent[pid]=${fields[1]} session[pid]=${fields[3]}
        line=${line#*(} called[$pid]=${line%) *}
    done
    inside[$$]=1
    while ((grown)); do
        grown=0
        for pid in "${!parent[@]}"; do
            [[ ${inside[pid]} ]] && continue
            [[ ${reach[session[pid]]} || ${inside[parent[pid]]} ]] || continue
            inside[pid]=1 grown=1
            ((session[pid])) && reach[session[pid]]=1
        done
    done
    for pid in "${!parent[@]}"; do
        [[ ${inside[pid]} ]] || continue
        pids+=("$pid") names[pid]=${called[$pid]}
        ((parent[pid] == $$)) && main=1
    done
    return 0
}

# sudo and timeout pass signals on: what they started would get INT and TERM twice. gdbserver would end before
# what it started.
send() {
    local pid
    for pid in "${pids[@]}"; do
        [[ $1 != KILL && ${names[pid]} == @(sudo|timeout|gdbserver) ]] && continue
        kill -s "$1" "$pid" && continue
        [[ -e /proc/$pid ]] && sudo -n bash -c 'kill -s "$1" "$2"' ixy "$1" "$pid" >/dev/null 2>&1
    done
}

clock() {
    local up
    read -r up _ </proc/uptime
    now=${up/./}
}

# Wait until nothing is left or `$2` hundredths of a second passed; once the command itself is
# gone, others get at most one second more. KILL is repeated, for those who fork meanwhile.
settle() {
    local end
    clock
    end=$((now + $2))
    while scan && ((${#pids[@]} && now < end)); do
        ((main == 0 && end > now + 100)) && end=$((now + 100))
        [[ $1 == KILL ]] && send KILL
        sleep 0.05
        clock
    done
}

stop() {
    local needed=- signal pid
    local -A grace=([INT]=$1 [TERM]=$2 [KILL]=$3)
    scan
    for signal in INT TERM KILL; do
        ((main)) || break
        [[ $signal == KILL ]] || ((grace[$signal])) || continue
        needed=$signal
        send "$signal"
        settle "$signal" "${grace[$signal]}"
    done
    [[ $needed == - ]] && settle - 100
    if ((${#pids[@]})) && [[ $needed != KILL ]]; then
        for pid in "${pids[@]}"; do say "straggler ${names[pid]//[^[:print:]]/?}"; done
        send KILL
        settle KILL "$3"
    fi
    for pid in "${pids[@]}"; do say "left ${names[pid]//[^[:print:]]/?} ($pid)"; done
    say "stopped $needed"
}

watch() {
    local word a b c
    trap '' INT TERM HUP QUIT PIPE
    watcher=$BASHPID
    reach=([$$]=1) # sessions: one that was seen stays in, even when its leader's parent is gone
    exec >/dev/null
    while read -r word a b c <&4; do
        case $word in
            stop) stop "$a" "$b" "$c" ;;
            release) return ;;
        esac
    done
    stop 300 100 200
}

run() (
    say "session $$"
    exec 3>&- 4<&- 2>&1
    exec env "${variables[@]}" "$BASH" -c "$command"
)

read_order
enter_folder
watch &
watcher=$!
run
status=$?
read -r pattern </proc/sys/kernel/core_pattern
say "core $pattern"
say "exit $status"
while kill -0 "$watcher"; do wait "$watcher"; done
