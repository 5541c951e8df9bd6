"""Several runs side by side: which belong together, tables and curves.

groups: which runs are of one kind, so that a figure may average them, and which cannot be compared
comparison: what several runs on the same data did differently: tables for notebook 06
curves: learning curves of several runs: one table and one figure, in files
long_table: the long table of a grid, a row a run and cycle, and its resamples
samples: what a data set holds: galleries and counts for the notebooks
"""
