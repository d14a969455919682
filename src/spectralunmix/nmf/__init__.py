"""The factorisation: its objective, updates and solver.

Other parts of the package and the benchmark use `published`, `passes`, and of `starts`
`starting_components` and `random_starts`; all else is for `spectralunmix.estimator` alone.
"""
