"""The formats of the authors' code, read and written; nobody else needs to know them.

checkpoint: weight files from anywhere: read without running code that they may hold
reference: checkpoints of the authors' code: their arrays under our names, and ours under theirs
work_log: logs of the authors' code: `<timestamp>.log.json`, a JSON object a line
work_folder: work folders of the authors' code (`work_dirs/MI-AOD/<timestamp>`), read and checked
work_folder_export: a run in the names of the authors' code
work_folder_import: goes on with an experiment of the authors' code
"""
