"""The exact limits and second methods that docs/validation.md lists, run again on this machine."""
