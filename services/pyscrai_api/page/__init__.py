"""The page at `/`: what is running, for a person with a browser. Plain HTML, made here; no script."""
