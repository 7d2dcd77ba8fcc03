"""Evidence: an archive that proves an instance, and what checks it offline (docs/evidence.md)."""
