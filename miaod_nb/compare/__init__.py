"""Several runs side by side: which belong together, tables and curves.

groups: which runs are of one kind, so that a figure may average them, and which cannot be compared
outlook: what the next batch and all labels would probably bring to runs of one kind
labels_or_training: whether labels or training is what is missing, as far as the numbers say
stop_or_go: what more labels would bring to each of several strategies, in words too
comparison: what several runs on the same data did differently: tables for notebook 06
curves: learning curves of several runs: one table and one figure, in files
grid_results: what a grid of runs came to: its two files, read and checked
pairs: runs of a grid as curves, and as pairs: equal seed, first labels and number of cycles
effects: does MI-AOD's training pay, and does its choice? Both gains apart, with their intervals
verdict: what the effects of a grid come to, in words
long_table: the long table of a grid, a row a run and cycle, and its resamples
samples: what a data set holds: galleries and counts for the notebooks
"""
