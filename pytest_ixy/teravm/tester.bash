# What is done on the controller of the tester, as its user: a list is started in a session of its own that does not
# depend on the connection, asked how far it is, and stopped.
#
# PLACE   the run's folder on this host; empty for one in the user's home
# ID      of one run of one list; all that it starts has it in its environment
#
# The files ID.* in PLACE: `pid` of the session's leader, `log` of what the program prints, its `status` once it has
# ended, `began` as a mark of the time. Answers are lines that begin with "ixy: ".

shopt -s nullglob
LC_ALL=C
OWN=$HOME/.cache/pytest-ixy-ng40
PLACE=${PLACE:-$OWN}
cd -- "$HOME" || exit 1

fail() { echo "ixy: failed $*"; exit 0; }

enter() { mkdir -p -- "$PLACE" "$OWN" || fail "$PLACE cannot be made"; }

in_folder() { # FOLDER: as an absolute path
    (cd -- "$1" 2>/dev/null && pwd) || fail "there is no folder $1"
}

as_user() { # FOLDER WORD...: what a login would find in its PATH is found
    local folder
    folder=$(in_folder "$1")
    [[ $folder == /* ]] || { echo "$folder"; return 1; }
    shift
    exec bash -lc 'cd -- "$0" && exec "$@"' "$folder" "$@"
}

# The mark says that a list runs; who finds one knows that its run was cut off.
mark() { # RUN LIST
    printf '%s\n' "$1" "$2" "$ID" >"$OWN/unfinished.new" && mv -f -- "$OWN/unfinished.new" "$OWN/unfinished" ||
        fail "$OWN cannot be written to"
}

marked() {
    local line
    [[ -f $OWN/unfinished ]] || return 0
    head -c 2000 -- "$OWN/unfinished" | while IFS= read -r line; do printf 'ixy: mark %s\n' "$line"; done
}

unmark() { rm -f -- "$OWN/unfinished"; }

# The leader stays until the program has ended, whatever signal comes, and leaves its status: behind all that was
# printed, unless something else holds the output open for longer.
LEADER='
file=$1; shift
exec 3> >(trap "" INT TERM HUP QUIT; exec cat >>"$file.log")
writer=$!
trap : INT TERM HUP QUIT
echo $$ >"$file.pid.new"; mv -- "$file.pid.new" "$file.pid"
bash -lc '\''cd -- "$0" && exec "$@"'\'' "$@" >&3 2>&3 3>&-
status=$?
exec 3>&-
for _ in {1..20}; do kill -0 "$writer" || break; sleep 0.1; done
echo $status >"$file.status.new"; mv -- "$file.status.new" "$file.status"
'

start() { # RUN LIST FOLDER WORD...
    local run=$1 list=$2 folder file=$PLACE/$ID
    shift 2
    enter
    { [[ -s $file.log || -e $file.status ]] || leads; } && { echo "ixy: started"; return; } # the answer was lost
    folder=$(in_folder "$1")
    [[ $folder == /* ]] || { echo "$folder"; return; }
    shift
    mark "$run" "$list"
    : >"$file.log" >"$file.began"
    until : >"$file.later"; [[ $file.later -nt $file.began ]]; do :; done # what is made from now on is newer
    # whoever started it is gone at once, so that it is nobody's child who might be ended with the connection
    (PYTEST_IXY_LIST=$ID setsid bash --norc --noprofile -c "$LEADER" ixy "$file" "$folder" "$@" \
        >/dev/null 2>&1 </dev/null &)
    for _ in {1..100}; do [[ -e $file.pid ]] && break; sleep 0.1; done
    [[ -e $file.pid ]] || fail "the list's process did not start"
    echo "ixy: started"
}

leads() { # whether the leader is still there, and not somebody else who has got its number
    local pid=
    { read -r pid <"$PLACE/$ID.pid"; } 2>/dev/null
    [[ $pid ]] && grep -qzsx "PYTEST_IXY_LIST=$ID" "/proc/$pid/environ"
}

size_of() { stat -c %s -- "$1" 2>/dev/null || echo 0; }

newest() { # FOLDER: its file that was written to last since the list began
    local file found=
    while IFS= read -r -d '' file; do
        [[ -z $found || $file -nt $found ]] && found=$file
    done < <(find "$1/" -maxdepth 1 -type f -newer "$PLACE/$ID.began" -print0 2>/dev/null)
    printf '%s' "$found"
}

state() {
    local status=
    if { read -r status <"$PLACE/$ID.status"; } 2>/dev/null; then echo "ended $status"
    elif leads; then echo "runs"
    elif { read -r status <"$PLACE/$ID.status"; } 2>/dev/null; then echo "ended $status"
    else echo "gone"
    fi
}

# Answers as soon as there is something new, or when nothing was for a while.
peek() { # OFFSET FOLDER RUN-LOG ITS-OFFSET TENTHS BYTES
    local now log=$PLACE/$ID.log file inode
    for ((now = 0; now < $5; now += 2)); do # what comes within a moment comes at once
        [[ $(state) == runs ]] && (($(size_of "$log") - $1 < $6)) || break
        sleep 0.2
        (($(size_of "$log") > $1)) && { sleep 0.4; break; }
    done
    echo "ixy: state $(state)" # before the bytes are read: once it has ended, all of them are there
    printf 'ixy: out %s\n' "$(tail -c "+$(($1 + 1))" -- "$log" 2>/dev/null | head -c "$6" | base64 -w0)"
    file=$(newest "$2")
    [[ $file ]] || return 0
    inode=$(stat -c %i -- "$file")
    [[ $inode == "$3" ]] && now=$4 || now=0
    printf 'ixy: plan %s %s\n' "$inode" "$(tail -c "+$((now + 1))" -- "$file" | head -c "$6" | base64 -w0)"
}

sessions() { # of all that was started by the list
    local file line fields
    for file in $(grep -lzsx "PYTEST_IXY_LIST=$ID" /proc/[0-9]*/environ); do
        line=
        { IFS= read -r -d '' line <"${file%environ}stat"; } 2>/dev/null
        fields=(${line##*) })
        [[ ${fields[3]} == [1-9]* ]] && echo "${fields[3]}"
    done | sort -u
}

members() { # SESSION...
    local file line fields all=" ${*//$'\n'/ } "
    for file in /proc/[0-9]*/stat; do
        line=
        { IFS= read -r -d '' line <"$file"; } 2>/dev/null
        fields=(${line##*) })
        [[ $line && ${fields[0]} != [ZX] && $all == *" ${fields[3]} "* ]] && echo "${line%% *}"
    done
}

stop() { # TENTHS that TERM may take
    local known all signal now
    known=$(sessions)
    for signal in TERM KILL; do
        for ((now = 0; now < $1; now += 2)); do
            known=$(printf '%s\n' $known $(sessions) | sort -u)
            all=$(members "$known")
            [[ $all ]] || { echo "ixy: stopped"; return; }
            ((now == 0)) || [[ $signal == KILL ]] && kill -s "$signal" $all 2>/dev/null
            sleep 0.2
        done
    done
    echo "ixy: left ${all//$'\n'/ }"
}

# What was made since the list began gets a number as its name, because names are anybody's: links in ID.files, and a
# table of KIND, SIZE, NUMBER, NAME, each ended by a NUL.
gather() { # MOST RUN-LOGS then KIND FOLDER ...
    local most=$1 runs=$2 number=0 count file folder stage=$PLACE/$ID.files
    shift 2
    rm -rf -- "$stage" && mkdir -p -- "$stage" && exec 3>"$stage/table" || fail "$stage cannot be made"
    file=$(newest "$runs")
    [[ $file ]] && keep run "$(cd -- "${file%/*}" && pwd)/${file##*/}" "${file##*/}"
    while (($#)); do
        count=0
        folder=$(cd -- "$2" 2>/dev/null && pwd) || echo "ixy: missing $1"
        while [[ $folder ]] && IFS= read -r -d '' file; do
            ((count++ < most)) || { echo "ixy: more $1"; break; }
            keep "$1" "$file" "${file#"$folder"/}"
        done < <(find "$folder/" -maxdepth 3 -type f -newer "$PLACE/$ID.began" -print0 2>/dev/null)
        shift 2
    done
    echo "ixy: gathered $stage"
}

keep() { # KIND FILE NAME
    number=$((number + 1))
    ln -s -- "$2" "$stage/$number" && printf '%s\0' "$1" "$(size_of "$2")" "$number" "$3" >&3
}

forget() { rm -rf -- "$PLACE/$ID".{pid,log,status,began,later,files}; }
