"""Frame of the command line: what the commands of every feature are written with. Knows no feature."""
