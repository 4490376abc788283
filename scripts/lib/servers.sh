# Sourced by the scripts `with-*`: installs servers, starts them on free ports of 127.0.0.1, and ends exactly those that it started.
# shellcheck shell=bash
set -euo pipefail

servers=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/target/servers
# The data, logs and process ids of the servers. `scripts/lib/server` finds them by this variable, in a test too.
run=${MINISNAP_TEST_SERVERS:-}

die() {
    echo "${0##*/}: $1" >&2
    if [[ -n $run ]]; then tail --lines 5 "$run"/*.log >&2 || true; fi
    exit 1
}

# Makes the folder for the servers' data. They end with the script.
begin() {
    [[ $# -gt 0 ]] || die "no command given"
    install_debian curl curl
    mkdir -p "$servers"
    run=$(mktemp --directory "$servers/${0##*/}.XXXXXX")
    export MINISNAP_TEST_SERVERS=$run
    trap end_servers EXIT
}

# Installs Debian packages if a command is missing: install_debian COMMAND PACKAGE...
install_debian() {
    if command -v "$1" >/dev/null; then return; fi
    apt-get update --quiet >&2
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${@:2}" >&2
}

# Installs a version of a package from PyPI into the folder `home`: install_python PACKAGE VERSION [OTHER==VERSION...]
install_python() {
    home=$servers/$1-$2
    # The marker file is made last, so that an interrupted installation is repeated.
    if [[ -e $home/installed ]]; then return; fi
    install_debian python3 python3
    if ! python3 -m venv --clear "$home" >/dev/null; then
        # On Debian, venv is a separate package.
        apt-get update --quiet >&2
        apt-get install --yes python3-venv >&2
        python3 -m venv --clear "$home"
    fi
    "$home/bin/pip" install --quiet --disable-pip-version-check "$1==$2" "${@:3}" >&2
    touch "$home/installed"
}

# Prints some free ports: free_ports NUMBER
#
# They are below those that the kernel gives to clients: no client takes the port of a server that was killed and starts again.
# If another program takes a port before the server does, the server fails, and so does the script.
free_ports() {
    local port ports=()
    while ((${#ports[@]} < $1)); do
        port=$((10000 + RANDOM % 22000))
        if [[ " ${ports[*]} " == *" $port "* ]] || (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi
        ports+=("$port")
    done
    echo "${ports[*]}"
}

# Starts a server in the folder `run`: start NAME COMMAND...
start() {
    printf '%q ' "${@:2}" >"$run/$1.command"
    start_again "$1"
}

# Starts a server by the command of its first start.
start_again() {
    (
        cd "$run"
        eval "exec $(<"$1.command")" >>"$1.log" 2>&1 </dev/null
    ) &
    disown
    echo "$! $(started_at $!)" >"$run/$1.pid"
}

# Kills a server without a warning, and returns after its end.
kill_now() {
    is_running "$1" || die "$1 doesn't run"
    local pid _
    read -r pid _ <"$run/$1.pid"
    kill -KILL "$pid"
    while is_running "$1"; do sleep 0.01; done
}

# Prints the time at which a process was started, in ticks since the machine's start; nothing for one that has ended.
started_at() {
    local fields
    # The fields after the name of the command, which may contain anything.
    fields=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) || return 0
    [[ $fields == Z* ]] || cut -d ' ' -f 20 <<<"$fields"
}

# Another process with the same id has another start time.
is_running() {
    local pid start
    read -r pid start <"$run/$1.pid"
    [[ -n $start && $(started_at "$pid") == "$start" ]]
}

# Ends all servers, the last one first, and removes their data.
end_servers() {
    local file name pid _ tries
    # shellcheck disable=SC2045 # names without blanks
    for file in $(ls --sort=time "$run"/*.pid 2>/dev/null); do
        name=$(basename "$file" .pid)
        read -r pid _ <"$file"
        for ((tries = 0; tries < 100; tries++)); do
            is_running "$name" || continue 2
            if ((tries == 0)); then kill -TERM "$pid" 2>/dev/null || true; fi
            sleep 0.05
        done
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$run"
}

# Repeats a command until it succeeds. Dies if a server has ended, or after a minute.
await() {
    local file end=$((SECONDS + 60))
    until "$@" >"$run/await.log" 2>&1; do
        for file in "$run"/*.pid; do
            is_running "$(basename "$file" .pid)" || die "$(basename "$file" .pid) ended:"
        done
        ((SECONDS < end)) || die "no success in a minute: $*"
        sleep 0.2
    done
}

# Makes the bucket `minisnap` on an S3 server, and sets Amazon's variables: offer_s3 URL KEY SECRET
#
# The first request that succeeds also shows that the server is ready.
offer_s3() {
    # RGW wants the header with the digest, which curl 7 sends only if it is told to.
    await curl --silent --max-time 5 --fail --request PUT --aws-sigv4 aws:amz:us-east-1:s3 --user "$2:$3" \
        --header "x-amz-content-sha256: UNSIGNED-PAYLOAD" "$1/minisnap"
    set_amazons_variables "$@"
}

set_amazons_variables() {
    export AWS_ENDPOINT_URL=$1 AWS_ALLOW_HTTP=true AWS_REGION=us-east-1
    export AWS_ACCESS_KEY_ID=$2 AWS_SECRET_ACCESS_KEY=$3
}
