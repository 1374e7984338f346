"""What a run is made of (recipe, presets) and where it runs (settings). Imports neither torch nor a server's client."""
