"""Forecast of demand: two methods, intervals, a backtest beside simple forecasts, and proposals to reorder."""
