"""The pages of campaigns and content items: what is shown, and the forms."""
