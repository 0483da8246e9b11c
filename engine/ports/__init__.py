"""The protocols by which the dashboard uses an engine, and which the engine of its tests meets."""
