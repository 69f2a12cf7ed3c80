"""What may be said from a handful of runs: intervals, comparisons, effect sizes, equivalence, and times that were cut off.

Pure functions over sequences of numbers, one number a run (the run is the unit, never the request). The bench and the study
share them. What is random (resampling) is drawn from a seed, so that a figure comes out the same on every machine.
"""
