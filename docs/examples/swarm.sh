#!/bin/sh
# Usage: swarm.sh TASKS [FLAGS FOR swarm-tui run...]: a run for each TASKS/*.md.
# The exit code is 0 if all succeeded, some at the second try, and what they did was applied.
set -eu
tasks=$1
shift
project=$(basename "$tasks")-$(date +%Y%m%d-%H%M%S)

for task in "$tasks"/*.md; do
    swarm-tui run --detach --project "$project" "$@" - < "$task" > /dev/null
done
swarm-tui wait $(swarm-tui ls -q --project "$project") || echo "not all succeeded" >&2

failed=$(swarm-tui ls -q --project "$project" --status failed --status interrupted)
if [ -n "$failed" ]; then
    swarm-tui retry --detach $failed > /dev/null
    swarm-tui wait $failed || echo "not all succeeded at the second try" >&2
fi

result=0
good=$(swarm-tui ls -q --project "$project" --status succeeded | sort) # ids sort by time
[ -z "$good" ] || swarm-tui apply $good || result=1
for run in $(swarm-tui ls -q --project "$project" --status failed); do
    echo "$run needs you: swarm-tui show $run" >&2
    result=1
done
exit $result
