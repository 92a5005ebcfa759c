"""Distances and maps between neuron distributions, by optimal transport."""
