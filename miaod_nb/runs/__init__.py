"""Run folders: what they hold, who writes them, and the record that everyone else reads.

card: what all who show or compare a strategy know of it, as run folders keep it
code: the code that trains, as a digest: weights that other code has made are not equal work
cells: tables whose texts no spreadsheet takes for formulas
files: run folders: one writer at a time, and files that are always whole, the old one or the new
label_store: what people and tools answered about a run's images
machine: the machine that a run works on: device, threads, memory, and what results owe to them
schema: the documents of a run folder: what each holds, and the one place where they are parsed
pool_file: which images a run is about: a table of its first data and of what joined later
identity: what a run folder is about: claimed by the first process, another experiment is refused
known_images: the table of checked images in a run folder
score_table: the table of what a strategy saw in images of a cycle, as it is read
session: a process at work on a run folder: the lock, the log, when to save, and the wish to stop
steps: the steps of a cycle by name, in the order in which they run
tables: tables of metrics: read from their files, and as text for a terminal
record: a run as whoever reads it has it: what a run folder says, without what made it
to_label: the images that people are asked to label next, and how
outputs: files and folders that a command writes its results into
sharing: equal work is done once: training that a run next to this one has finished is taken over
"""
