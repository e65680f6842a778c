"""What people configure of adapters: sizes of limits, time limits of calls, and how often accounts are checked."""
