"""Pictures and videos in the form that networks take."""
