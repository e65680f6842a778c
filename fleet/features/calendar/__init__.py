"""The calendar: what was published, what is planned and what is proposed, in one view."""
