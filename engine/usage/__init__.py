"""Usage and limits: reports, prices, forecasts and the pace of the queue."""
