"""The factorisation: its objective, updates and solver.

Other parts of the package use `starting_components` and `random_starts` of `starts`, the benchmark
`Spectra` and `solve`; all else is for `spectralunmix.factorisation`, `estimator` and `published`.
"""
