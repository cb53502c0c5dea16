"""Recording of training runs and rollouts: trials, learning curves and activity, readable at any time."""

from neurojax.monitor.callback import monitor_callback as monitor_callback
from neurojax.monitor.monitor import Evaluated as Evaluated
from neurojax.monitor.monitor import Monitor as Monitor
from neurojax.monitor.recording import Activity as Activity
from neurojax.monitor.recording import Recording as Recording
from neurojax.monitor.recording import rates as rates
from neurojax.monitor.recording import read_trials as read_trials
