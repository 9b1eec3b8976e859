"""From trained weights to files a robot loads: ONNX graphs and bundles."""
