"""`python -m miaod_nb`: the `miaod` command, as launchers of several processes start it."""

from miaod_nb.cli import main

if __name__ == "__main__":
    main()
