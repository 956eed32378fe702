"""Models behind HTTP: requests in, answers out; what is answered is made in `workflows`."""
