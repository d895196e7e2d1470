"""Simulation of new individuals, block by block."""
