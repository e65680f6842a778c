"""The feature reports: the figures of a day, a week or a month, frozen, kept and compared."""
