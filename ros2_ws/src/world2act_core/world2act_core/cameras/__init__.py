"""What a camera is, without ROS: where it comes from, its lens, its pixel formats, its clock and its faults."""
