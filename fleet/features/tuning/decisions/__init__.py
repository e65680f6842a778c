"""Pure decisions of tuning: queueing, rules, guards against flapping, results."""
