"""Caffe's networks: read from prototxt and caffemodel, rebuilt for PyTorch, kept as folders."""
