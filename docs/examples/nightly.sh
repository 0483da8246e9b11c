#!/bin/sh
# Usage: TOKEN=... nightly.sh SOCKET REPOSITORY TASKS [AGENT]
# For cron or a CI job: start a run for each line of the file TASKS that is not empty, and wait for all.
# The exit code is 0 if all succeeded.
set -eu
socket=$1
repository=$2
tasks=$3
agent=${4:-codex}

call() {
    curl --fail-with-body --silent --show-error --unix-socket "$socket" \
        --header "Authorization: Bearer $TOKEN" --header "Content-Type: application/json" "$@"
}

runs=$(
    while IFS= read -r task || [ -n "$task" ]; do # also a last line without a line end
        [ -n "$task" ] || continue
        python3 -c 'import json, sys
print(json.dumps(dict(zip(["worktree", "prompt", "agent"], sys.argv[1:]))))' \
            "$repository" "$task" "$agent" |
            call --data @- http://localhost/v1/runs |
            python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'
    done < "$tasks"
)

result=0
for run in $runs; do
    status=queued
    until [ "$status" = ended ]; do
        state=$(call "http://localhost/v1/runs/$run/wait?timeout_s=300")
        status=$(printf %s "$state" | python3 -c 'import json, sys
print("ended" if json.load(sys.stdin)["finished_at"] else "working")')
    done
    printf %s "$state" | python3 -c 'import json, sys
run = json.load(sys.stdin)
print(run["id"], run["status"], run["title"])
sys.exit(run["status"] != "succeeded")' || result=1
done
exit $result
