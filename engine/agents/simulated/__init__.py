r"""The built-in stand-in for Codex, scripted by its prompt: `codex exec --json` and `app-server`.

It has the real one's arguments, events, exit codes, rollouts and resume, runs no command and
asks no model. Start it by path: `python -I -S engine/agents/simulated/__main__.py exec --json …`.
As an app-server (`server.py`) it plays the same scripts over JSON-RPC, and a message in the middle
of a turn adds its own directives to those that are left.

A prompt without directives plays a believable task of about 8 seconds. Lines that begin with
`sim:` are played instead, in order; then the turn completes and the exit code is 0. Every line
is checked first: a wrong one is named on stderr, exit 2, and nothing else happens. TEXT is the
rest of the line, with Python's escapes (`\n`, `\x1b`, `\u202e`); other words are read as a shell
would read them. Times are in seconds.

| directive | what it does |
|---|---|
| `speed X` | all waits from here on are divided by X |
| `wait SECONDS` | does nothing for that time |
| `default` | the task of a prompt without directives |
| `think TEXT` | a reasoning item |
| `say TEXT` | an agent message; the last one goes to the `-o` file |
| `plan A \| B \| C` | a to-do list (again: the new one); only where `tools.update_plan` is on |
| `done N` | the first N items of the plan are completed |
| `command CMD [exit=0] [takes=0.1] [output=TEXT]` | a command that is not run, only shown |
| `write PATH TEXT`, `append PATH TEXT` | really adds or updates a file of the workspace |
| `delete PATH` | really deletes one |
| `search QUERY` | a web search |
| `mcp SERVER TOOL [error=TEXT]` | an MCP tool call |
| `usage [input=0] [cached=0] [output=0] [reasoning=0]` | one such model request, and no others |
| `limits primary=PERCENT [window=300] [resets_in=3600]` | a rate-limit window: minutes, seconds |
| … `[secondary=PERCENT] [secondary_window=10080] [secondary_resets_in=86400]` | and a longer one |
| `numbered N [every=0] [from=1\|last]` | messages `n 1`, `n 2`, …; `last`: where the thread was |
| `flood N [size=120]` | N messages of SIZE characters, as fast as it can |
| `bigline BYTES` | one message of that size |
| `raw LINE`, `rawcut TEXT` | bytes on stdout (`\xff` is one), with and without a newline |
| `unknown` | an event type and an item type that no version knows |
| `warning TEXT` | an error item, which is not a failure |
| `reconnecting N` | N transient error lines |
| `network` | "waiting for network", for ever |
| `fail CAUSE` | turn.failed, exit 1: auth, rate, quota, usage, overloaded, stream, context, TEXT |
| `stderr TEXT` | a line on stderr |
| `hang` | nothing any more, for ever |
| `crash` | a panic on stderr, exit 101, no closing event |
| `exit N` | ends with this code at once, without turn.completed |
| `ignore-term` | SIGTERM, SIGINT and the end of an app-server's stdin are ignored from here on |
| `stream N [every=0]` | a command that writes N lines while it runs |
| `background SECONDS` | a command with a real process, which an interrupt alone does not end |
| `child [ignore-term] [new-session] [SECONDS]` | leaves a real process that sleeps (300 s) |
| `ask CMD [reason=TEXT] [takes=0] [writes=PATH]` | asks for a command; if approved, PATH gets it |
| `ask-patch PATH TEXT` | asks for a patch, which is written only inside the workspace |
| `ask-rights network\|PATH [reason=TEXT]` | asks for the network or a further folder |
| `ask-tool SERVER TOOL` | asks for an MCP tool call |
| `question TEXT A\|B [secret=yes]`, `form SCHEMA` | asks for an answer, and prints it |
| `ask-unknown METHOD` | a request that no version knows |
| `until message` | waits for a message of the user |
| `deaf` | answers no request from here on |
| `attempt N` … `end` (or the next `attempt`) | only in attempt N (`N+`: from N on) |
| `account NAME` … `end` (or the next one) | only under this account; `default` is the user's own |

`codex exec` cannot ask: there, each request is refused, and no message ever comes.

Attempts are counted under `$CODEX_HOME/simulated`, by working directory and script. A resumed turn
whose message has no directives plays the thread's last script with `attempt` lines again, so that
"hangs first, goes well when resumed" can be scripted. Writing needs a sandbox that allows it (`-s
workspace-write`); a write that is refused, or that would leave the working directory or enter
`.git`, is a failed `file_change`.
"""
