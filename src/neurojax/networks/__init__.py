"""Recurrent networks as Flax NNX modules."""

from neurojax.networks.cells import GRU, LSTM, NONLINEARITIES, Cell, LeakyRNN
from neurojax.networks.network import Network, draw_noise, make_network, step_noise

__all__ = ["GRU", "LSTM", "NONLINEARITIES", "Cell", "LeakyRNN", "Network", "draw_noise", "make_network", "step_noise"]
