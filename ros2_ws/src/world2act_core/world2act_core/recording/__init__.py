"""Recorded episodes as MCAP files: written, read and recovered without ROS."""
