"""What every API process does in the background: bounded, SKIP LOCKED, no leader."""
