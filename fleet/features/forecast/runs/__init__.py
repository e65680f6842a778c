"""Forecasts from the orders and the stock of an organisation, stored: runs, their series, and proposals to reorder."""
