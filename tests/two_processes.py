"""A Dask cluster on this machine."""

import os
import signal


def local_cluster(n_workers=2, **changed):
    """Processes of a thread each."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        dashboard_address=":0",
        worker_dashboard_address=None,
        **changed,
    )


def kill_a_worker(client, which):
    """End a worker's process as a machine does that goes down."""
    pids = client.run(os.getpid)
    os.kill(pids[sorted(pids)[which]], signal.SIGKILL)
