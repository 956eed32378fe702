"""Networks in ONNX files: their nodes, as operations that can be built for PyTorch."""
