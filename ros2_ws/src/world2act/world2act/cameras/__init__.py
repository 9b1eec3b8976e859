"""The cameras of a real robot as camera_ingest sees them: sources, checks and what is published of each picture."""
