"""Offline training: data, models, export and evaluation. Imports the core and the simulator, never ROS."""
