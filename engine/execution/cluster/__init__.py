"""Runs on other machines: nodes of a cluster, reached over Dask distributed.

Two sides share `messages`. A node (`node/`) carries attempts with the executor and the workspaces
of this machine, in a home of its own for each home that sends it runs. The engine's side is
`NodeExecutor` and `NodeWorkspaces`, which send a message for each call of their ports over a
`Channel`. Only `dask/` knows the engine below. A node's lease, its guards and the files of its
attempts are ours: they hold whatever happens to that engine.
"""
