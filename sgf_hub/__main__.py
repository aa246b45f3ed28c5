"""`python -m sgf_hub`: the command line, for launchers that start a module."""

from sgf_hub.cli.main import main

if __name__ == "__main__":
    main()
