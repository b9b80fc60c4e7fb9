"""`python -m streams …` is `byline …`."""

from streams.cli import main

if __name__ == "__main__":
    main()
