"""The cluster's engine: connections, TLS and pools of Dask distributed, and leases of our own.

Only this package imports `distributed`, and only when a cluster is used. It uses no Dask tasks and
no Dask workers: a node and the scheduler are servers with a few operations of ours. On a Dask
scheduler that exists already, `dask scheduler --preload engine.execution.cluster.dask.preload`
adds the same operations.
"""
