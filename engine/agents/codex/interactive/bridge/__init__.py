"""The bridge: one attempt over `codex app-server`, as a process of its own.

It is started as `codex exec` is, below the attempt's shell: the prompt on stdin, stdout and stderr
into the attempt's files. It starts one app-server and speaks JSON-RPC with it over stdio.

- stdout has every line of the server as it came, but for lines that repeat others, and lines of
  the bridge's own, which have the key `bridge`.
- The inbox is a file that others append records to, see `inbox_reader`. Each record is done once.
- It ends when the turn has ended and no message waits. Exit codes: 0 completed, 1 failed,
  130 interrupted, 128 + N ended by signal N, 70 the server ended by itself, 74 stdout could not be
  written, 127 the server could not be started.

It needs no engine. When it dies itself, the server reads the end of its stdin, and ends with all
its commands. It imports nothing but the standard library: `python -I -S bridge/__main__.py …`.
"""
