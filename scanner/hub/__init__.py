"""The shared map."""
