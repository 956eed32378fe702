"""Tables and pages made from run records alone: no network, no image, no torch."""
