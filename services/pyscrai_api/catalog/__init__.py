"""Versioned, immutable documents: agents, scenarios, event types."""
