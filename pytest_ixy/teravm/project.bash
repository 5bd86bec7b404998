# A compose project's files on this node, and what runs of it.
#
# ACTION    what to do, a function of this script
# FOLDER    the project's
# COMPOSE   how compose is called, in words of the shell
# VARIABLE  of .env: holds the version
# HASH      the version to set
# SOURCE    URL or path of the compose file to fetch
#
# Answers are lines "ixy: WORD ...". The status is non-zero when something failed.

LC_ALL=C
umask 022
home=$PWD
cd -- "$FOLDER" || exit 1
unset PYTEST_IXY_LEASE # the project belongs to the host
export -n ACTION FOLDER COMPOSE VARIABLE HASH SOURCE "$VARIABLE" # what is in the environment would win over .env
files=(docker-compose.yml .env)
kept=.pytest-ixy-before # the files as they were: there from before the first change until the upgrade is over

say() { printf 'ixy: %s\n' "$*"; }
compose() { eval "$COMPOSE" '"$@"' </dev/null; }

target() { readlink -f -- "$1" || printf '%s\n' "$1"; } # what is a link stays one

draft() { # FILE: a new file beside it, of the same owner and mode
    rm -f -- "$1.ixy-new"
    if [[ -e $1 ]]; then cp -p -- "$1" "$1.ixy-new"; else : >"$1.ixy-new"; fi
}

publish() { { sync -- "$1.ixy-new" 2>/dev/null || sync; } && mv -fT -- "$1.ixy-new" "$1"; } # FILE: at once, or not

# Lines are kept as they are, comments, quotes and line ends among them; of several that set it, all are changed.
dotenv() { # FILE HASH: with the variable set; without HASH its value
    awk -v name="$VARIABLE" -v hash="${2-}" '
        {
            line = $0; end = ""
            if (line ~ /\r$/) { end = "\r"; line = substr(line, 1, length(line) - 1); returns = 1 }
            if (match(line, "^[ \t]*(export[ \t]+)?" name "[ \t]*=[ \t]*")) {
                head = substr(line, 1, RLENGTH); value = substr(line, RLENGTH + 1); rest = ""; found = 1
                quote = substr(value, 1, 1); close_at = index(substr(value, 2), quote)
                if ((quote == "\"" || quote == "\047") && close_at) {
                    rest = substr(value, close_at + 2); value = substr(value, 2, close_at - 1)
                } else {
                    quote = ""
                    if (match(value, /([ \t]+#.*|[ \t]+)$/)) { rest = substr(value, RSTART); value = substr(value, 1, RSTART - 1) }
                }
                line = head quote hash quote rest; last = value
            }
            if (hash != "") print line end
        }
        END {
            if (hash == "") print last
            else if (!found) print name "=" hash (returns ? "\r" : "")
        }' "$1"
}

version() {
    local value=
    [[ ! -e .env ]] || value=$(dotenv .env) || return
    say "version $value"
}

check() { [[ -e docker-compose.yml || $SOURCE ]] || { echo "there is no docker-compose.yml in $PWD"; return 1; }; }

full() { # percent of the disk that images are on
    local root
    root=$(docker info -f '{{.DockerRootDir}}' 2>/dev/null </dev/null)
    [[ -d $root ]] || root=.
    say "full $(df --output=pcent -- "$root" | tail -n 1 | tr -dc 0-9)"
}

prune() { docker image prune -a -f </dev/null; }

backup() {
    local file
    rm -rf -- "$kept.new" && mkdir -m 700 -- "$kept.new" || return
    for file in "${files[@]}"; do
        [[ ! -e $file ]] || cp -pL -- "$file" "$kept.new/" || return
    done
    sync
    mv -T -- "$kept.new" "$kept"
}

restore() {
    local file to
    [[ -d $kept ]] || return 0
    for file in "${files[@]}"; do
        to=$(target "$file")
        if [[ -e $kept/$file ]]; then
            rm -f -- "$to.ixy-new"
            cp -p -- "$kept/$file" "$to.ixy-new" && publish "$to" || return
        else
            rm -f -- "$file" || return
        fi
    done
    forget
}

forget() { # the rename is what counts
    rm -rf -- "$kept.over" && mv -T -- "$kept" "$kept.over" && rm -rf -- "$kept.over"
}

recover() {
    rm -rf -- "$kept.over" "$kept.new"
    [[ -d $kept ]] || return 0
    restore && say "recovered"
}

set_version() {
    local file
    file=$(target .env)
    draft "$file" || return
    if [[ -e $file ]]; then dotenv "$file" "$HASH"; else echo "$VARIABLE=$HASH"; fi >"$file.ixy-new" || return
    publish "$file"
}

get() { # URL or path, into a file
    case $SOURCE in
        http://* | https://*)
            if command -v curl >/dev/null; then
                curl -fsSL --connect-timeout 20 --max-time 300 --max-filesize 10000000 -o "$1" -- "$SOURCE"
            else
                wget -nv -T 60 -t 2 -O "$1" -- "$SOURCE"
            fi
            ;;
        /*) cat -- "$SOURCE" >"$1" ;;
        *) cat -- "$home/$SOURCE" >"$1" ;;
    esac
}

fetch() {
    local file
    file=$(target docker-compose.yml)
    draft "$file" && get "$file.ixy-new" || return
    [[ -s $file.ixy-new ]] || { echo "the compose file is empty"; return 1; }
    publish "$file"
}

down() { compose down; }
pull() { compose pull; }
up() { compose up -d; }

look() { # the services, the images they should have, and the containers
    local ids services fields='ixy: container {{index .Config.Labels "com.docker.compose.service"}}|{{.Config.Image}}'
    fields+='|{{.State.Status}}|{{if .State.Health}}{{.State.Health.Status}}{{end}}|{{.State.ExitCode}}'
    fields+='|{{.State.StartedAt}} {{.RestartCount}}'
    version || return
    services=$(compose config --services) || { echo "$services"; return 1; }
    sed 's/^/ixy: service /' <<<"$services"
    compose config | sed -n "s/^ *image: *//p" | tr -d "\"'" | sort -u | sed 's/^/ixy: image /'
    ids=$(compose ps -a -q 2>/dev/null) || ids=$(compose ps -q) || return
    [[ -z $ids ]] || docker inspect --format "$fields" $ids </dev/null
}

words() { compose logs --no-color --tail 10 -- "$HASH"; } # of one service

"$ACTION"
