"""Stage 2 of World2Act: a frozen policy is corrected so that what it does matches what a world model imagines."""
