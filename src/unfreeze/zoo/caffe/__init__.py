"""Caffe's networks: read from prototxt and caffemodel, as operations that can be built for PyTorch."""
