"""`fleet chaos`: the command and what it shows; the run itself is in `fleet.chaos`."""
