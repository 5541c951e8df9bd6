"""One file a data layout: which images a folder names, and what its labels say."""
