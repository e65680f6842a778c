"""Short links: redirects of this fleet, counted without cookies, and conversions."""
