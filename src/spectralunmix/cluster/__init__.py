"""Fits of Dask arrays: on the workers of a cluster, or read chunk by chunk in this process."""
