#!/usr/bin/env bash
# usage: [LISTEN=HOST:PORT] [DATA=DIR] make run
# Builds, starts the simulated provider and the gateway on its default configuration, prints what to paste, and stops
# both on Ctrl-C.
. "$(dirname "$0")/lib.sh"

listen=${LISTEN:-127.0.0.1:8080}
data=${DATA:-./signalbox-data}
host=${listen%:*}
port=${listen##*:}
# What must be the same at the next start, beside the data directory: the client's key and the simulator's port.
memory=${data%/}.run

if is_open "$host" "$port"; then
  say "Something already listens on $listen. Choose another address:" >&2
  say "  LISTEN=127.0.0.1:$((port + 1)) make run" >&2
  exit 1
fi
Scripts/setup.sh run
build_release

# --- The client's key, made once ---------------------------------------------------------------------------------
client_key=
simulator_port=0
if [ -e "$memory" ]; then
  client_key=$(sed -n 's/^client_key=//p' "$memory")
  simulator_port=$(sed -n 's/^simulator_port=//p' "$memory")
fi
[ -n "$client_key" ] || client_key=sk-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
# A port that somebody else has taken meanwhile is given up.
if [ -z "$simulator_port" ] || is_open 127.0.0.1 "$simulator_port"; then simulator_port=0; fi

# --- Start -------------------------------------------------------------------------------------------------------
simulator=
gateway=
finish() {
  trap - EXIT
  # Ctrl-C once more: the gateway's second signal, which ends it at once.
  trap '[ -z "$gateway" ] || kill -TERM "$gateway" 2>/dev/null || true' INT TERM HUP
  local status=0
  if [ -n "$gateway" ]; then stop "$gateway" || status=$?; fi
  if [ -n "$simulator" ]; then stop "$simulator" || true; fi
  exit "${1:-$status}"
}
trap 'finish' INT TERM HUP
trap 'finish $?' EXIT

mkdir -p .build/run
rm -f .build/run/port
# Each in a session of its own: Ctrl-C reaches this script alone, which then stops them in order.
setsid "$RELEASE/simulator" serve --listen "127.0.0.1:$simulator_port" \
  --scenario Fixtures/scenarios/default.yaml --port-file .build/run/port &
simulator=$!
wait_for 10 "$simulator" test -s .build/run/port || die "the simulator did not start"
simulator_port=$(cat .build/run/port)
(umask 077 && printf 'client_key=%s\nsimulator_port=%s\n' "$client_key" "$simulator_port" >"$memory")

SIGNALBOX_CLIENT_KEY=$client_key SIMULATOR_URL=http://127.0.0.1:$simulator_port/v1 \
  setsid "$RELEASE/signalbox" serve --data "$data" --listen "$listen" --config Fixtures/default/signalbox.yaml &
gateway=$!
wait_for 60 "$gateway" curl -fsS --max-time 2 "http://$listen/health" ||
  die "signalbox did not answer on http://$listen/health"

cat <<TEXT

Signalbox answers on http://$listen (provider: the simulator on port $simulator_port; Ctrl-C stops both).
In another terminal, from $ROOT:

  curl -si http://$listen/v1/chat/completions \\
    -H 'Authorization: Bearer $client_key' -H 'Content-Type: application/json' \\
    -d '{"model": "fast", "messages": [{"role": "user", "content": "What does a signal box do?"}]}'

  .build/release/replay window --log $data --from -5m
  .build/release/replay show --log $data '<x-request-id of the answer>'

TEXT
status=0
wait "$gateway" || status=$?
gateway=
say "signalbox ended with status $status" >&2
finish "$status"
