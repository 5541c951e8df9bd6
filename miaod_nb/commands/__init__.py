"""What the verbs of the `miaod` command do."""
