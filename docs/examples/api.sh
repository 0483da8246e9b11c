#!/bin/sh
# Usage: TOKEN=... api.sh ADDRESS REPOSITORY PROMPT [AGENT]
# Start a run in a worktree of a repository, follow its events to the end, print its changes.
set -eu
api=$1/v1

call() {
    curl --fail-with-body --silent --show-error --header "Authorization: Bearer $TOKEN" "$@"
}

field() {
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

request=$(python3 -c 'import json, sys
print(json.dumps(dict(zip(["worktree", "prompt", "agent"], sys.argv[1:]))))' "$2" "$3" "${4:-codex}")
run=$(call --header "Content-Type: application/json" --data "$request" "$api/runs" | field id)

call --no-buffer "$api/runs/$run/events/stream" # ends with the run
call "$api/runs/$run" | field status
call "$api/runs/$run/diff?format=patch"
