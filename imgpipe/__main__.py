"""`python -m imgpipe`: the command line, where its script is not on the path."""

from imgpipe.cli import main

if __name__ == "__main__":
    main()
