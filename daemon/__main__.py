"""``python -m daemon``: the same as ``kommsync``."""

from daemon.cli import main

if __name__ == "__main__":
    main()
