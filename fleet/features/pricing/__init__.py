"""Prices: elasticities from own orders, proposals within bounds, and what accepted ones earned."""
