"""Charts and bars as SVG."""
