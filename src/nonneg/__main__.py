"""`python -m nonneg`: the same command line as `nonneg`."""

from nonneg.cli import main

if __name__ == "__main__":
    main()
