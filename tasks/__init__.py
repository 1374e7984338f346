"""How a step meets the outside world: Prefect tasks around programs, the store and the tracking server."""
