"""The verbs of the `miaod` command, a module each: its options, its help, and what it does.

A module has the verb's function and EXAMPLES for its help. Whatever is heavy is imported inside the
function, so that `miaod --help` answers at once.

- options: what several verbs are given
- info, run, notebooks, review, curves, report, evaluate, predict, convert, bench: the verbs
- info_data, info_run, info_checkpoint: what `info` says of each kind of path
- executing, essay: how `notebooks` executes them, and the one page it makes of them
"""
