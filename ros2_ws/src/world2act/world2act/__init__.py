"""The ROS 2 nodes, the description of the graph they form, and the command line."""

__version__ = "0.1.0"
