"""The shell of kommsync: everything that does I/O."""
