"""Linear classifiers on codes: one batched solver and the search for its regularisation."""
